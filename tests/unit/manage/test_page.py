"""The page at /, in a real browser: what it shows, what can be done with it, and what it must never do."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from browser import WAIT, Tab, chromium, tab
from managed_world import Managed, jobs, policy
from playwright.sync_api import Browser, Error, Locator, expect
from world import BIG, HELD, NEVER

from arvnodeman.doctor.base import Finding
from arvnodeman.doctor.examined import Examined
from arvnodeman.fleet.messages import Poll, SetWord
from arvnodeman.fleet.values.model import Directive, OperatorDirective
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.leader.keeper import Leading
from arvnodeman.manage.server import ManagementServer, bind
from arvnodeman.manage.site import make_application

TOKEN = "let-me-in"
EVIL = "<img src=x onerror=evil=1>"
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT)
    with chromium() as found:
        yield found


class Stage:
    """A site with its management server, and tabs of the browser that look at it."""

    def __init__(self, browser: Browser, stack: ExitStack) -> None:
        self.browser = browser
        self.stack = stack
        self.tabs: list[Tab] = []

    def serve(self, site: Managed, port: int = 0) -> ManagementServer:
        server = ManagementServer(site.application, bind("127.0.0.1", port))
        server.start()
        self.stack.callback(server.stop)
        return server

    def open(self, server: ManagementServer, token: str = "", **options: object) -> Tab:
        host = f"127.0.0.1:{server.port}"
        shown = self.stack.enter_context(tab(self.browser, host, **{"viewport": WIDE, **options}))
        self.tabs.append(shown)
        shown.page.goto(f"http://{host}/")
        if token:
            shown.page.get_by_label("Token", exact=True).fill(token)
            shown.page.keyboard.press("Enter")
        return shown


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    with ExitStack() as stack:
        made = Stage(browser, stack)
        yield made
        assert [shown.complaints() for shown in made.tabs] == [[] for _ in made.tabs]


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Managed]:
    def make(nodes: int = 3, waiting: int = 0, token: str = "", name: str = "compute", **more: object) -> Managed:
        given = {"max_nodes": 8, "max_total_price": 2.0, "shutdown_windows": NEVER, **more}
        site = Managed(tmp_path, token, policy=policy(**given), now=time.time())
        for number in range(1, nodes + 1):
            site.world.node(f"{name}{number}", slurm="alloc" if number == 1 else "idle")
        site.begin(*jobs(waiting, BIG))
        site.cycle()
        return site

    return make


def tile(shown: Tab, name: str) -> Locator:
    return shown.page.get_by_role("option", name=name)


def notices(shown: Tab) -> Locator:
    return shown.page.get_by_role("list", name="Notices")


# ---- what it shows ---------------------------------------------------------------------------------------------------


def test_it_shows_nodes_by_size_the_queue_and_the_cost_against_the_cap(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    site = make_site(waiting=9)
    shown = stage.open(stage.serve(site))
    group = shown.page.get_by_role("group", name="small: 3 nodes")
    expect(group.get_by_role("option")).to_have_count(3)
    expect(tile(shown, "compute1 busy")).to_be_visible()
    expect(shown.page.locator("#f-queue")).to_have_text("9 jobs wait")
    expect(shown.page.locator("#f-capped")).to_contain_text("of the cap of $2.00")
    expect(shown.page.locator("#health")).to_have_text("All is well")
    first = shown.page.locator("#jobs > li").first
    expect(first).to_contain_text("zzzzz-dz642-job0000")
    expect(first).to_contain_text("4 cores")
    expect(shown.page.locator("#jobs")).to_contain_text("would exceed max_total_price of 2")
    coming = shown.page.get_by_role("group", name="large:").get_by_role("option")
    boots = [each for each in site.ask("/v1/operations")["operations"] if each["kind"] == "boot"]
    expect(coming).to_have_count(len(boots))  # no node yet, and shown all the same
    expect(coming.first).to_contain_text("new large")
    assert boots


def test_a_node_tells_its_reason_on_hover_on_focus_and_on_click(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    shown = stage.open(stage.serve(make_site()))
    tip = shown.page.get_by_role("tooltip")
    tile(shown, "compute1").hover()
    expect(tip).to_contain_text("It stays: it works: Slurm says alloc.")
    shown.page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    shown.page.get_by_label("Group nodes").focus()
    for _ in range(3):  # two buttons of the legend, and the nodes
        shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("ArrowRight")
    expect(tile(shown, "compute2")).to_be_focused()
    expect(tip).to_contain_text("It stays: shutdown window closed")
    tile(shown, "compute1").click()
    node = shown.page.get_by_role("region", name="compute1")
    for words in ("busy for", "It stays: it works: Slurm says alloc.", "$0.10 an hour", "Slurm says", "no word"):
        expect(node).to_contain_text(words)


def test_it_tells_what_would_change_a_decision_when_it_is_asked(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    shown = stage.open(stage.serve(make_site(waiting=9)))
    waits = shown.page.locator("#jobs > li").nth(4)  # the first that the price stops
    waits.get_by_role("button", name="What would change it?").click()
    expect(waits).to_contain_text("With max_total_price >= 2.3 (now 2) a node of large would boot for it at once.")
    expect(shown.page.locator("#jobs > li").first.get_by_role("button", name="What would change it?")).to_be_hidden()


def test_it_tells_what_would_let_a_node_go_when_it_is_asked(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(make_site()))
    tile(shown, "compute2").click()
    node = shown.page.get_by_role("region", name="compute2")
    button = node.get_by_role("button", name="What would change it?")
    button.focus()
    shown.page.keyboard.press("Enter")
    expect(node).to_contain_text("With [Cloud] shutdown_windows = ")
    with shown.page.expect_response(lambda answer: answer.url.endswith("/v1/nodes/i-compute2")):
        pass
    expect(button).to_be_focused()  # though what is known of it is shown anew
    expect(node).to_contain_text("it would go at the next node poll")
    tile(shown, "compute1").click()
    busy = shown.page.get_by_role("region", name="compute1")
    expect(busy).not_to_contain_text("shutdown_windows")
    busy.get_by_role("button", name="What would change it?").click()
    expect(busy).to_contain_text("No single option would change this: it works: Slurm says alloc.")


def test_it_follows_the_daemon_without_being_asked(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site()
    shown = stage.open(stage.serve(site))
    tile(shown, "compute2 idle").click()
    site.world.says("compute2", "alloc")
    site.world.node("compute4", "large")
    del site.world.cloud["i-compute3"]
    site.cycle(times=3)
    site.world.obey()
    site.cycle()
    expect(tile(shown, "compute2 busy")).to_be_visible()
    expect(tile(shown, "compute4 idle")).to_be_visible()
    expect(tile(shown, "compute3")).to_have_count(0)
    expect(shown.page.get_by_role("region", name="compute2")).to_contain_text("busy for")
    expect(shown.page.get_by_role("status")).to_have_text("compute2 is busy now.")


def test_a_list_of_nodes_that_has_not_changed_is_not_sent_again(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    shown = stage.open(stage.serve(make_site()))
    tile(shown, "compute1").wait_for()
    with shown.page.expect_response(lambda answer: answer.url.endswith("/v1/nodes") and answer.status == 304):
        pass
    expect(tile(shown, "compute1")).to_be_visible()


def test_what_the_hourly_examination_found_stands_at_the_top_the_grave_first(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    site = make_site()
    slight = [Finding(f"thing {n} is odd {EVIL}", mends="Look at it.", grave=False) for n in range(5)]
    found = (*slight, Finding("c1 is drained", "c1", "stuck-drains", mends="Resume it."))
    source = replace(site.source, examined=lambda: Examined(site.world.now, found))
    site.application = make_application(source)
    shown = stage.open(stage.serve(site))
    told = notices(shown).locator("li")
    expect(told).to_have_count(6)
    expect(told.first).to_have_text("C1 is drained. Remedy: Resume it.")
    expect(told.nth(1)).to_have_text(f"Thing 0 is odd {EVIL}. Remedy: Look at it.")
    expect(told.last).to_have_text("1 more things are wrong: `arvados-node-manager doctor` shows them all.")


STANDS_BY = Leading("postgresql", "b:2", False, 7, "a:1", "a:1 leads", 0.0, 0.0, "", 0, 0)
LEADS = Leading("postgresql", "a:1", True, 7, "a:1", "", 3.0, 57.0, "", 0, 1)
SPARES = (Spare("office", "small", nodes=5),)


def led(site: Managed, leading: Leading) -> Managed:
    """The same site, where managers are elected."""
    site.application = make_application(replace(site.source, leading=lambda: leading))
    return site


def test_who_leads_is_told_and_that_this_manager_stands_by(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(led(make_site(), STANDS_BY)))
    expect(shown.page.locator("#badges")).to_contain_text("stands by")
    expect(notices(shown)).to_contain_text("a:1 leads; this manager, b:2, stands by, and obeys nobody")
    leads = stage.open(stage.serve(led(make_site(), LEADS)))
    expect(leads.page.locator("#f-up")).to_contain_text("leads as a:1, generation 7 (postgresql)")
    expect(leads.page.locator("#badges")).not_to_contain_text("stands by")
    alone = stage.open(stage.serve(make_site()))
    expect(alone.page.locator("#f-up")).to_contain_text("version")
    expect(alone.page.locator("#f-up")).not_to_contain_text("leads")


def test_spares_tell_how_many_are_ready_and_why_no_more(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(make_site(spares=SPARES)))
    row = shown.page.get_by_role("region", name="Spares").get_by_role("listitem")
    expect(row).to_contain_text("office")
    expect(row).to_contain_text("2 of 5 ready")
    without = stage.open(stage.serve(make_site()))
    expect(without.page.locator("#f-nodes")).to_contain_text("3")
    expect(without.page.locator("#spares")).to_be_hidden()


def test_what_is_wrong_stands_at_the_top(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site()
    site.vitals.polls.failed(Poll.QUEUE, site.vitals.clock.monotonic(), "squeue: no such host")
    site.world.now += 100_000
    shown = stage.open(stage.serve(site))
    expect(shown.page.locator("#health")).to_have_text("Not well")
    expect(notices(shown)).to_contain_text("The queue list is")
    expect(notices(shown)).to_contain_text("squeue: no such host")
    expect(shown.page.locator("#f-polls")).to_contain_text("queue")


def test_the_nodes_can_be_found_and_told_apart(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(make_site()))
    options = shown.page.get_by_role("option", name="compute")
    expect(options).to_have_count(3)
    shown.page.get_by_role("button", name="idle 2").click()
    expect(options).to_have_count(2)
    shown.page.get_by_role("button", name="idle 2").click()
    shown.page.get_by_label("Find a node by its name").fill("compute3")
    expect(options).to_have_count(1)
    shown.page.get_by_label("Find a node by its name").fill("nothing of the kind")
    expect(shown.page.get_by_text("No node is like that.")).to_be_visible()
    shown.page.get_by_label("Find a node by its name").fill("")
    shown.page.get_by_label("Group nodes").select_option("state")
    expect(shown.page.get_by_role("group", name="idle: 2 nodes").get_by_role("option")).to_have_count(2)


def test_decisions_are_there_newest_first_and_by_kind_and_node(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site()
    site.world.say("i-compute1", Directive.HOLD, "first")
    site.world.say("i-compute2", Directive.HOLD, "second")
    shown = stage.open(stage.serve(site))
    rows = shown.page.locator("#decisions > li")
    expect(rows.first).to_contain_text("second")
    held = rows.count()
    site.world.say("i-compute3", Directive.DRAIN, "third")
    expect(rows.first).to_contain_text("third")
    expect(rows).to_have_count(held + 1)
    shown.page.get_by_label("Show only decisions with these words").fill("compute1")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("first")
    shown.page.get_by_label("Show only decisions with these words").fill("")
    shown.page.get_by_label("Kind of decision").select_option("word")
    expect(rows).to_have_count(3)


def lines(hours: int = 6) -> dict[str, Any]:
    until, step = time.time(), 120.0
    times = [until - hours * 3600 + step * number for number in range(hours * 30)]
    some = [None if 50 <= number < 60 else number % 7 for number in range(len(times))]
    nodes = dict.fromkeys(("booting", "unpaired", "idle", "busy", "other"), some)
    shown = {"step": step, "since": times[0], "until": until, "times": times, "nodes": nodes}
    return {**shown, "queue": some, "capacity": some, "cost_per_hour": some}


def test_the_last_hours_are_lines_with_gaps_where_nothing_is_known(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    server = stage.serve(make_site())
    shown = stage.open(server)
    shown.page.route("**/v1/history*", lambda route: route.fulfill(json=lines()))
    shown.page.reload()
    charts = shown.page.locator("#hours figure")
    expect(charts).to_have_count(3)
    expect(charts.nth(0).locator("path")).to_have_count(5)
    path = charts.nth(2).locator("path.cost").get_attribute("d")
    assert path is not None
    assert path.count("M") == 2
    expect(charts.nth(2).locator("path.cap")).to_have_count(1)
    charts.nth(1).locator("svg").focus()
    shown.page.keyboard.press("Home")
    expect(charts.nth(1).locator("ul")).to_have_text("jobs waiting 0nodes 0nodes possible 0")
    expect(charts.nth(0).locator("svg")).to_have_attribute("aria-label", re.compile("^Nodes by state, .*: busy 0"))


def test_without_a_history_the_page_says_so(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(make_site()))
    shown.page.route("**/v1/history*", lambda route: route.fulfill(status=404, json={"error": "Not Found"}))
    shown.page.reload()
    expect(shown.page.get_by_text("This daemon keeps no history")).to_be_visible()


# ---- what can be done ------------------------------------------------------------------------------------------------


def test_the_keyboard_alone_holds_a_node_with_a_reason(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site(token=TOKEN)
    shown = stage.open(stage.serve(site), TOKEN)
    tile(shown, "compute1").wait_for()
    keys = shown.page.keyboard
    for _ in range(30):
        keys.press("Tab")
        if shown.page.evaluate("document.activeElement.getAttribute('role')") == "option":
            break
    keys.press("End")
    expect(tile(shown, "compute3")).to_be_focused()
    keys.press("Enter")
    expect(shown.page.get_by_role("heading", name="compute3")).to_be_focused()
    hold = shown.page.get_by_role("button", name="Hold")
    for _ in range(10):
        keys.press("Tab")
        if hold.evaluate("each => each === document.activeElement"):
            break
    keys.press("Enter")
    expect(shown.page.get_by_role("dialog", name="Hold compute3?")).to_be_visible()
    keys.type("its fan is loud")
    keys.press("Enter")
    expect(shown.page.get_by_role("status")).to_have_text("compute3: hold is heard.")
    (step,) = site.world.open(SetWord)
    assert step.directive == OperatorDirective(Directive.HOLD, "its fan is loud")
    site.world.obey()
    site.cycle()
    expect(tile(shown, "compute3 idle, hold")).to_be_visible()
    expect(shown.page.get_by_role("region", name="compute3")).to_contain_text("hold: its fan is loud")
    keys.press("Escape")
    expect(tile(shown, "compute3")).to_be_focused()


def test_kill_asks_first_and_tells_what_it_costs(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site(token=TOKEN)
    shown = stage.open(stage.serve(site), TOKEN)
    tile(shown, "compute1").click()
    kill = shown.page.get_by_role("button", name="Kill …")
    dialog = shown.page.get_by_role("dialog", name="Kill compute1?")
    kill.click()
    expect(dialog).to_contain_text("what runs on it is lost, and has to run again")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    kill.click()
    shown.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    kill.click()
    dialog.get_by_label("Reason").fill("   ")
    dialog.get_by_role("button", name="Kill").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Say why")
    assert not [each for each in shown.asked if each.method == "POST"]
    dialog.get_by_label("Reason").fill("it burns")
    dialog.get_by_role("button", name="Kill").click()
    expect(shown.page.get_by_role("status")).to_have_text(re.compile("compute1(: kill is heard| is shutdown now)."))
    assert [each.url.rpartition("/v1/")[2] for each in shown.asked if each.method == "POST"] == [
        "nodes/i-compute1/kill"
    ]
    assert site.ask("/v1/nodes/compute1")["goes"]


def test_a_word_that_is_not_heard_yet_is_told_so(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site(token=TOKEN)
    site.hears = False
    shown = stage.open(stage.serve(site), TOKEN)
    tile(shown, "compute1").click()
    shown.page.get_by_role("button", name="Run").click()
    shown.page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(shown.page.get_by_role("status")).to_have_text("compute1: run is taken, and will be heard in its turn.")


def test_without_a_token_configured_it_shows_all_and_says_why_it_takes_no_words(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    shown = stage.open(stage.serve(make_site()))
    tile(shown, "compute1").click()
    expect(shown.page.get_by_text("Words are not taken from here, since no [Manage] ManagementToken")).to_be_visible()
    shown.page.get_by_role("button", name="Kill …").click(force=True)
    expect(shown.page.get_by_role("dialog")).to_have_count(0)


# ---- the token -------------------------------------------------------------------------------------------------------


def test_the_token_is_asked_for_and_stays_in_this_tab(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(make_site(token=TOKEN)), "a-wrong-one")
    dialog = shown.page.get_by_role("dialog", name="The management token")
    expect(dialog.get_by_role("alert")).to_have_text("This token is not the right one.")
    dialog.get_by_role("button", name="Not now").click()
    expect(tile(shown, "compute1")).to_have_count(0)
    shown.page.get_by_role("button", name="Enter the token").click()
    dialog.get_by_label("Token", exact=True).fill(TOKEN)
    shown.page.keyboard.press("Enter")
    tile(shown, "compute1").wait_for()
    assert shown.page.evaluate("Object.values(sessionStorage)") == [TOKEN]
    assert shown.page.evaluate("Object.values(localStorage)") == []
    assert shown.page.evaluate("document.cookie") == ""
    assert not [each.url for each in shown.asked if TOKEN in each.url]
    shown.page.reload()
    tile(shown, "compute1").wait_for()  # not asked for again
    shown.page.get_by_role("button", name="Forget the token").click()
    expect(dialog).to_be_visible()
    assert shown.page.evaluate("Object.values(sessionStorage)") == []


# ---- node_faults -----------------------------------------------------------------------------------------------------


def test_it_tells_that_the_daemon_is_away_and_recovers_by_itself(
    stage: Stage, make_site: Callable[..., Managed]
) -> None:
    server = stage.serve(make_site(nodes=2))
    shown = stage.open(server)
    tile(shown, "compute1").click()
    shown.page.evaluate("document.mark = 'the same page'")
    port = server.port
    server.stop()
    expect(shown.page.locator("#health")).to_have_text("The daemon is away")
    expect(notices(shown)).to_contain_text("The daemon has been away since")
    expect(tile(shown, "compute1")).to_be_visible()  # what was known is shown on
    site = make_site(nodes=5)
    site.world.say("i-compute4", Directive.HOLD, "of the new run")
    stage.serve(site, port)
    expect(shown.page.locator("#health")).to_have_text("All is well")
    expect(tile(shown, "compute5")).to_be_visible()
    expect(notices(shown).locator("li")).to_have_count(0)
    expect(shown.page.locator("#decisions > li").first).to_contain_text("of the new run")
    assert shown.page.evaluate("document.mark") == "the same page"


def test_a_page_that_nobody_sees_does_not_ask(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site()
    shown = stage.open(stage.serve(site))
    tile(shown, "compute1").wait_for()
    hide = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    shown.page.evaluate(hide, True)
    shown.page.wait_for_timeout(500)  # what was under way has ended
    asked = len(shown.asked)
    shown.page.wait_for_timeout(4000)
    assert len(shown.asked) == asked
    site.world.says("compute2", "alloc")
    site.cycle()
    shown.page.evaluate(hide, False)
    expect(tile(shown, "compute2 busy")).to_be_visible()


def test_markup_in_names_reasons_and_errors_stays_text(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site(waiting=1)
    for identity in ("i-compute1", "i-compute2"):
        site.world.cloud[identity] = replace(
            site.world.cloud[identity], name=EVIL, address=EVIL, directive=OperatorDirective(Directive.HOLD, EVIL)
        )
    site.world.says("compute1", "alloc", reason=EVIL)
    site.world.node("compute9", slurm=None, record=False, age=60.0)
    site.world.cloud["i-compute9"] = replace(site.world.cloud["i-compute9"], name=EVIL, fqdn=None, provider_size=EVIL)
    site.cycle(replace(jobs(1)[0], id=EVIL, reason=EVIL))
    site.world.say("i-compute1", Directive.HOLD, EVIL)
    site.vitals.polls.failed(Poll.CLOUD, site.vitals.clock.monotonic(), EVIL)
    shown = stage.open(stage.serve(site))
    tile(shown, "compute1").hover()
    expect(shown.page.get_by_role("tooltip")).to_contain_text(EVIL)
    tile(shown, "compute1").click()
    expect(shown.page.get_by_role("region", name="compute1")).to_contain_text(EVIL)
    for part in ("#jobs", "#decisions", "#tiles", "#f-up"):
        expect(shown.page.locator(part)).to_contain_text(EVIL)
    assert shown.page.evaluate("[window.evil ?? null, document.images.length]") == [None, 0]
    assert shown.complaints() == []
    with shown.page.expect_console_message(), pytest.raises(Error, match="TrustedHTML"):
        shown.page.evaluate("document.body.innerHTML = '<b>markup</b>'")  # nor could the page's own script, by mistake
    shown.console.clear()


# ---- for everybody ---------------------------------------------------------------------------------------------------

CONTRASTS = Path(__file__).with_name("contrasts.js").read_text(encoding="utf-8")


AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIOLATIONS = """async (tags) => (await axe.run(document, {runOnly: tags})).violations.map(
  ({id, nodes}) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)"""


def violations(shown: Tab) -> list[str]:
    """What axe has against the page as it is shown now."""
    if not AXE.exists():
        if os.environ.get("CI"):
            pytest.fail("axe-core is not there: npm ci")
        pytest.skip("axe-core is not there (make check installs it)")
    if not shown.page.evaluate("'axe' in window"):
        shown.page.evaluate(AXE.read_text(encoding="utf-8"))  # not as a <script>, which the page's policy forbids
    found: list[str] = shown.page.evaluate(VIOLATIONS, RULES)
    return found


def test_axe_finds_nothing_against_it(stage: Stage, make_site: Callable[..., Managed]) -> None:
    site = make_site(waiting=3, token=TOKEN, spares=SPARES)
    site.world.node("compute5", slurm="down")
    site.world.node("compute7", directive=HELD)
    site.cycle(times=2)
    shown = stage.open(stage.serve(led(site, LEADS)), TOKEN, reduced_motion="reduce")  # colours are there at once
    tile(shown, "compute7").click()
    shown.page.get_by_role("region", name="compute7").get_by_text("hold: to be looked at").wait_for()
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for theme, width in itertools.product(themes, (390, 768, 1280)):
        shown.page.emulate_media(color_scheme=theme)
        shown.page.set_viewport_size({"width": width, "height": 900})
        assert (theme, width, violations(shown)) == (theme, width, [])
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown.page.get_by_role("button", name="Kill").click()
    assert violations(shown) == []
    shown.page.evaluate("document.getElementById('reason').removeAttribute('id')")
    assert violations(shown) != [], "axe sees nothing at all"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_it_fits_the_window_and_can_be_read(
    stage: Stage, make_site: Callable[..., Managed], theme: str, width: dict[str, int]
) -> None:
    site = make_site(waiting=9)
    site.world.node("compute5", slurm="down")
    site.world.node("compute6", slurm=None, record=False, age=60.0)
    site.world.node("compute7", directive=HELD)
    site.world.node("anamemuchlongerthananytilecouldeverbewide8")
    site.cycle(times=2)
    site.vitals.polls.failed(Poll.CLOUD, site.vitals.clock.monotonic(), "an error of the cloud")
    shown = stage.open(stage.serve(site), viewport=width, color_scheme=theme)
    tile(shown, "compute7").click()
    shown.page.get_by_role("region", name="compute7").get_by_text("hold: to be looked at").wait_for()
    assert shown.page.evaluate("[document.documentElement.scrollWidth > innerWidth]") == [False]
    assert shown.page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_many_nodes_are_small_squares_that_keys_walk_over(
    stage: Stage, make_site: Callable[..., Managed], theme: str
) -> None:
    site = make_site(nodes=150)
    for number, directive in enumerate(("alloc", "down", "fail", "resv", "drain"), 1):
        site.world.says(f"compute{number}", directive)
    site.world.node("compute200", slurm=None, record=False, age=60.0)
    site.cycle()
    shown = stage.open(stage.serve(site), color_scheme=theme)
    first = tile(shown, "compute1, busy")
    first.wait_for()
    assert shown.page.evaluate(CONTRASTS) == []
    first.focus()
    shown.page.keyboard.press("ArrowDown")
    below = shown.page.evaluate("document.activeElement.getAttribute('aria-label')")
    box, under = first.bounding_box(), tile(shown, below).bounding_box()
    assert box is not None
    assert under is not None
    assert under["x"] == pytest.approx(box["x"], abs=1)
    assert under["y"] == pytest.approx(box["y"] + 23, abs=1)
    shown.page.keyboard.press("ArrowUp")
    expect(first).to_be_focused()
    shown.page.keyboard.press("End")
    expect(tile(shown, "compute200")).to_be_focused()
    expect(shown.page.get_by_role("tooltip")).to_contain_text("compute200 · unpaired")


def test_the_theme_is_the_systems_until_one_is_chosen(stage: Stage, make_site: Callable[..., Managed]) -> None:
    shown = stage.open(stage.serve(make_site()), color_scheme="dark", reduced_motion="reduce")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = shown.page.evaluate(ground)
    shown.page.get_by_label("Theme").select_option("Light")
    light = shown.page.evaluate(ground)
    assert dark != light
    shown.page.reload()
    assert shown.page.evaluate(ground) == light
    shown.page.get_by_label("Theme").select_option("System theme")
    assert shown.page.evaluate(ground) == dark
    tile(shown, "compute1").wait_for()
    assert shown.page.evaluate("getComputedStyle(document.querySelector('.tile')).transitionDuration") == "0s"
