"""libcloud's own recorded answers, which are in its wheel, and peers that answer with them.

A peer built on these is a small cloud of ours: it keeps nodes, and whatever it says of them has the shape of what was
recorded. The driver reaches it over real HTTP on loopback, whatever host it believes to speak to.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import sys
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, ClassVar, Self

import libcloud
from cloud_peer import Peer, Shown, Verb
from libcloud.http import LibcloudConnection
from peer_trouble import Spoilt, Trouble, serving
from werkzeug.wrappers import Request, Response

TESTS = Path(libcloud.__file__).parent / "test"


@functools.cache
def _text(path: str) -> str:
    return (TESTS / path).read_text(encoding="utf-8")


def recorded(path: str) -> Any:
    """A recorded answer, read anew: `gce/zones_us-central1-a_instances.json`."""
    return json.loads(_text(f"compute/fixtures/{path}"))


def module_of_libcloud(name: str) -> ModuleType:
    """A module of libcloud's tests: `compute.test_gce`. They want a module with secrets, which is made from the one
    that libcloud has for people to copy; nothing is written."""
    wanted = "libcloud.test.secrets"
    if wanted not in sys.modules:
        made = ModuleType(wanted)
        exec(compile(_text("secrets.py-dist"), "secrets.py-dist", "exec"), made.__dict__)
        sys.modules[wanted] = made
    return importlib.import_module(f"libcloud.test.{name}")


def connection_to(to: int) -> type[Any]:
    """A class of HTTP connections that all go to a port of loopback, whatever host they are made for."""

    class ToPeer(LibcloudConnection):  # type: ignore[misc]  # libcloud has no types
        def __init__(self, host: str, port: int = 443, secure: Any = None, **options: Any) -> None:
            super().__init__("127.0.0.1", to, secure=0, **options)
            self.session.trust_env = False

    return ToPeer


def reply(body: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; a text as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, status, named, content_type="application/json; charset=UTF-8")


class RecordedPeer(Peer):
    """What the peers have in common. One answers requests in wsgi(), and makes the bodies of errors in error()."""

    peer = "libcloud 3.9's recorded answers"
    shown = Shown.RECORDED
    otherwise: ClassVar[Mapping[str, Shown]] = dict.fromkeys(
        (
            "lists_more_nodes_than_one_page",
            "leaves_out_terminated_nodes",
            "shows_stopped_nodes_as_stopped",
            "finds_a_node_after_a_create_that_timed_out",
            "makes_one_node_out_of_two_attempts",
            "destroy_of_a_vanished_node_says_that_it_is_gone",
            "a_destroy_that_times_out_but_works_is_seen",
            "a_destroy_that_fails_leaves_the_node_to_be_seen",
            "writing_to_a_vanished_node_says_that_it_is_gone",
            "recognises_each_class_of_error",
            "an_error_of_a_list_is_no_short_list",
            "a_node_is_made_in_the_zone_that_is_asked_for",
            "a_full_zone_is_passed_over_for_the_next",
            "a_node_that_broke_down_goes_and_its_words_tell_why",
            "nothing_is_retried",
            "a_request_that_hangs_ends_by_its_timeout",
            "drivers_of_several_threads_do_not_disturb_each_other",
            "names_the_option_that_is_wrong",
        ),
        Shown.LAYER,
    )
    remarks: ClassVar[tuple[str, ...]] = (
        "Answers have the shape of those recorded, with the names, ids, tags and states of the nodes at hand. What is "
        "kept from one request to the next is a small server of ours.",
        "Lists, sizes, create and destroy are run on libcloud's own mock classes as well, unchanged, and compared with "
        "what libcloud's driver sees there (test_cloud_recorded.py).",
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.trouble = Trouble(self._wsgi, self.verb_of)
        self.log: list[tuple[str, str]] = []  # method and path of each request that was not spoilt
        self._stack = ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        """Serve it."""
        self.port = self._stack.enter_context(serving(self.trouble))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.trouble.let_go()
        self._stack.close()

    def _wsgi(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        self.log.append((request.method, request.path))
        return self.answer(request, request.get_json(silent=True))(environ, start_response)

    @abstractmethod
    def answer(self, request: Request, body: Any) -> Response:
        """Answer one request. Called in several threads."""

    @abstractmethod
    def verb_of(self, request: Request) -> Verb | None:
        """See Trouble."""

    @abstractmethod
    def error(self, name: str) -> Response:
        """The answer that stands for an error of this name."""

    def fail(self, verb: Verb, error: str, times: int = 1) -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt(lambda: self.error(error)), times)

    def answer_with(self, verb: Verb, status: int, page: str, content_type: str = "text/html") -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt(lambda: Response(page, status, content_type=content_type)))

    def lose_answer(self, verb: Verb) -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt(works=True))

    def wait_until_it_worked(self) -> None:
        """See Peer."""
        self.trouble.wait_until_it_worked()

    def hang(self, verb: Verb) -> None:
        """See Peer."""
        self.trouble.spoil(verb, Spoilt())

    def requests(self) -> int:
        """See Peer."""
        return self.trouble.requests
