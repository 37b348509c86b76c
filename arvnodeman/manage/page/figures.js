/* ---- the top ----------------------------------------------------------------------------------------------------------- */

function say(text) { byId("said").textContent = text; }

function showTop() {
  const {status, away} = known;
  const health = byId("health");
  const [look, words] = away instanceof Refused ? ["bad", "Not allowed"]
    : away ? ["bad", "The daemon is away"]
    : asking || !status ? ["warn", asking ? "A token is needed" : "Asking the daemon …"]
    : status.healthy ? ["good", "All is well"] : ["bad", "Not well"];
  health.className = `health ${look}`;
  write(health, words);
  showBadges(away || !status ? [] : [standsBy(status) && "stands by", status.dry_run && "dry run", status.safe_mode && "safe mode", status.stopping && "stopping"]);
  showNotices();
  write(byId("live"), away || asking || !status ? "" : `as of ${clock(Date.now() / 1000)}`);
  byId("forget").hidden = !token;
  if (status) document.title = `${away ? "Away" : status.healthy ? plural(sum(status.nodes), "node") : "Not well"} · Node Manager`;
}

/* Another manager leads, or nobody does: this one watches. */
const standsBy = (status) => Boolean(status.leader && !status.leader.acts);

function standing(leader) {
  if (leader.leads) return `This manager, ${leader.name}, is not sure that it leads: ${leader.why}.`;
  const who = leader.leader ? `${leader.leader} leads` : "It is not known who leads";
  return `${who}; this manager, ${leader.name}, stands by, and obeys nobody: ${leader.why}.`;
}

function showBadges(words) {
  arrangeTexts(byId("badges"), words.filter(Boolean), (text) => make("span", "badge", text));
}

function showNotices() {
  const {status, away} = known;
  const told = [];
  if (away instanceof Refused) told.push(["bad", capital(`${away.message}.`)]);
  else if (away) told.push(["bad", `The daemon has been away since ${clock(known.awaySince)} (${away.message}). What is shown is from before; it is asked again every ${EVERY / 1000} seconds.`]);
  if (asking && !byId("token-dialog").open) told.push(["warn", "This daemon shows its state only with its management token.", "Enter the token"]);
  if (status && !away) {
    for (const wrong of status.wrong) told.push(["bad", capital(`${wrong}.`)]);
    if (standsBy(status)) told.push(["warn", standing(status.leader)]);
    if (status.leader?.trouble) told.push(["bad", `${capital(status.leader.backend)} does not say who leads: ${status.leader.trouble}.`]);
    if (status.blocked) told.push(["warn", `Nothing is decided now: ${status.blocked}.`]);
    if (status.reload_refused) told.push(["warn", `The configuration of ${when(status.reload_refused)} was refused, and the one before it is in force: ${status.reload_problems[0]}`]);
    const findings = (status.findings || []).toSorted((one, other) => other.grave - one.grave);
    for (const finding of findings.slice(0, 5)) told.push([finding.grave ? "bad" : "warn", `${capital(finding.text)}. Remedy: ${finding.mends}`]);
    if (findings.length > 5) told.push(["warn", `${findings.length - 5} more things are wrong: \`arvados-node-manager doctor\` shows them all.`]);
    if (status.safe_mode) told.push(["warn", "Safe mode: after a series of quick ends nothing is created or destroyed for some minutes."]);
    if (status.dry_run) told.push(["warn", "Dry run: nothing of this is done; nodes called dryrun are imagined."]);
    if (status.stopping) told.push(["warn", "The daemon is about to stop."]);
    if (known.version !== status.version) told.push(["warn", `The daemon is version ${status.version} now, and this page is older.`, "Reload"]);
  }
  arrangeTexts(byId("notices"), told.map((each) => each.join("\n")), (key) => {
    const [look, text, button] = key.split("\n");
    const item = make("li", look, make("span", "", text));
    if (button) {
      const press = make("button", "", button);
      press.type = "button";
      press.addEventListener("click", () => button === "Reload" ? location.reload() : askForToken(""));
      item.append(press);
    }
    return item;
  });
}

/* As arrange(), for children that are known by their text alone. */
function arrangeTexts(parent, keys, maker) {
  const there = new Map([...parent.children].map((child) => [child.key, child]));
  arrange(parent, keys.map((key) => {
    const child = there.get(key) || maker(key);
    child.key = key;
    return child;
  }));
}

/* ---- figures ------------------------------------------------------------------------------------------------------------- */

const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);

function big(id, text, small) {
  const element = byId(id);
  if (element.key === text + small) return;
  element.key = text + small;
  element.replaceChildren(text, " ", make("small", "", small));
}

/* Parts of a bar as [class, share]; a last part without a class is what is left of the whole. */
function bar(element, parts) {
  const shown = parts.filter(([, share]) => share > 0);
  arrangeTexts(element, shown.map(([name]) => name), (name) => make("i", name));
  shown.forEach(([, share], number) => { element.children[number].style.flexGrow = String(share); });
}

function pairs(element, rows) {
  arrangeTexts(element, rows.flatMap(([name]) => [`t ${name}`, `d ${name}`]), (key) => key[0] === "t" ? make("dt", "", key.slice(2)) : make("dd"));
  rows.forEach(([, value, look], number) => {
    const cell = element.children[2 * number + 1];
    cell.className = look || "";
    write(cell, value);
  });
}

function showFigures() {
  const status = known.status;
  const nodes = sum(status.nodes);
  big("f-nodes", String(nodes), `of at most ${status.max_nodes}`);
  bar(byId("f-states"), [...STATES.map((state) => [state, status.nodes[state]]), ["", Math.max(0, status.max_nodes - nodes)]]);
  const limits = [];
  if (status.node_quota < status.max_nodes) limits.push(`the cloud's quota ${status.node_quota}`);
  if (status.slot_quota < status.max_nodes) limits.push(`slots ${status.slot_quota}`);
  if (status.min_nodes) limits.push(`at least ${status.min_nodes}`);
  const {busy, idle, booting, unpaired} = status.nodes, coming = booting + unpaired, other = nodes - busy - idle - coming;
  const ready = (status.spares || []).reduce((sum, spare) => sum + spare.idle, 0), spares = ready ? ` (${ready} spare)` : "";
  const told = [`${busy} busy`, `${idle} idle${spares}`, ...(coming ? [`${coming} coming up`] : []), ...(other ? [`${other} other`] : [])];
  write(byId("f-limit"), [told.join(", "), ...limits].join(" · "));

  const {jobs_waiting: waiting, jobs_served: served} = status;
  big("f-queue", String(waiting), waiting === 1 ? "job waits" : "jobs wait");
  bar(byId("f-served"), [["idle", served], ["booting", waiting - served]]);
  const longest = status.longest_wait_seconds === null ? [] : [`the longest for ${span(status.longest_wait_seconds)}`];
  const servedWords = waiting ? [`${served} with a node there or coming`] : ["nothing waits"];
  write(byId("f-wish"), [...servedWords, ...longest, ...(status.nodes_wish ? [`${plural(status.nodes_wish, "node")} wished for`] : [])].join(" · "));

  big("f-price", money(status.price), "an hour");
  const cap = status.max_total_price;
  bar(byId("f-cap"), cap ? [[status.price >= 0.9 * cap ? "fail" : "busy", status.price], ["", Math.max(0, cap - status.price)]] : []);
  write(byId("f-capped"), cap ? `${Math.round(100 * status.price / cap)} % of the cap of ${money(cap)}` : "no cap (max_total_price) is set");
  showCost(status.cost);
  showPayers(status.payers || []);

  pairs(byId("f-polls"), status.polls.map((poll) => [
    poll.list, poll.age_seconds === null ? "never" : span(poll.age_seconds), poll.error || poll.age_seconds === null ? "bad" : "",
  ]));
  const errors = status.polls.filter((poll) => poll.error).map((poll) => `${poll.list}: ${poll.error}`);
  const lead = status.leader?.acts ? [`leads as ${status.leader.name}, generation ${status.leader.generation} (${status.leader.backend})`] : [];
  write(byId("f-up"), errors.length ? errors.join(" · ") : [`version ${status.version}, up ${span(status.up_seconds)}`, ...lead].join(", "));
  showSpares(status.spares || []);
}

function showCost(cost) {
  const least = cost && !cost.complete ? "≥ " : "";
  pairs(byId("f-cost"), [["this hour", "hour"], ["today", "day"], ["this month", "month"]].map(([name, key]) =>
    [name, cost && cost[key] !== null && cost[key] !== undefined ? least + money(cost[key]) : "–"]));
  write(byId("f-costs"), !cost ? "not recorded by this daemon" : cost.complete ? "" : `nodes gone before ${when(cost.since)} are not counted`);
}

/* How many nodes stand ready for each spare, of how many, and why no more. */
function showSpares(spares) {
  byId("spares").hidden = !spares.length;
  const list = byId("spare-rows");
  arrangeTexts(list, spares.map((spare) => spare.name), (name) => {
    const head = make("p", "", make("b", "", name), " ", make("span", "soft"));
    return make("li", "", head, make("div", "bar"), make("p", "note"));
  });
  spares.forEach((spare, number) => {
    const [head, parts, words] = list.children[number].children, {wanted, idle, coming} = spare;
    write(head.children[1], spare.size);
    parts.setAttribute("aria-hidden", "true");
    bar(parts, [["idle", idle], ["booting", coming], ["", Math.max(0, wanted - idle - coming)]]);
    const hours = spare.changes_seconds === null ? [] : [`its hours ${spare.open ? "close" : "open"} in ${span(spare.changes_seconds)}`];
    write(words, [`${idle} of ${wanted} ready`, ...(coming ? [`${coming} coming up`] : []), ...(spare.why ? [spare.why] : []), ...hours].join(" · "));
  });
}

/* What is spent and committed of each budget, and what that means. */
function showBudgets(budgets) {
  byId("budgets").hidden = !budgets.length;
  const list = byId("budget-rows");
  arrangeTexts(list, budgets.map((budget) => budget.name), (name) => {
    const head = make("p", "", make("b", "", name), " ", make("span", "soft"));
    return make("li", "", head, make("div", "bar"), make("p", "note"));
  });
  budgets.forEach((budget, number) => {
    const [head, parts, words] = list.children[number].children;
    const {spent, committed, limit} = budget, over = ["used up", "spent"].includes(budget.state);
    write(head.children[1], budget.state);
    parts.setAttribute("aria-hidden", "true");
    bar(parts, [[over ? "fail" : "busy", spent], ["booting", committed], ["", Math.max(0, limit - spent - committed)]]);
    write(words, budget.raised ? `${budget.words} (raised: ${budget.raised.reason})` : budget.words);
  });
}

function showPayers(payers) {
  byId("c-payers").hidden = !payers.length;
  write(byId("h-payers"), payers.length ? `This month, by ${payers[0].by}` : "Who pays");
  pairs(byId("f-payers"), payers.map((payer) => [payer.name, money(payer.month)]));
}
