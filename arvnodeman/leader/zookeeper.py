"""The lead as a node of ZooKeeper that goes with its session, beside a generation that stays.

Below PATH/CLUSTER are `generation`, which each change of the leader writes, and `leader`, ephemeral, which is made in
the same transaction. A renewal writes too, under the condition that the generation's version is still its own: what is
read may be old (a follower that is cut off answers for a while), what is written is agreed on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

try:
    from kazoo import exceptions
    from kazoo.client import KazooClient
    from kazoo.handlers.threading import KazooTimeoutError
    from kazoo.protocol.states import KazooState
except ImportError as error:
    raise ImportError(f"{error}: pip install 'arvados-node-manager[zookeeper]'") from None

from arvnodeman.config import ConfigError
from arvnodeman.config.kinds import PORT_LIMIT
from arvnodeman.fence.fence import steady
from arvnodeman.leader.claimant import Claimant
from arvnodeman.leader.port import Hold, Holder, LeadCandidate, NotTheLeader, StoreAway, led_by
from arvnodeman.leader.watched import Watched

if TYPE_CHECKING:
    from arvnodeman.config import Settings

_PATH = "/arvados-node-manager"
_HEARD = 1.0  # seconds after which the leader of the ensemble has heard from its followers who is still there
_WAITS = {"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": 1.0}  # between two attempts to connect

_SERVER = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
_FOLDERS = re.compile(r"[\w.-]+(?:/[\w.-]+)*", re.ASCII)
_SERVERS_ARE = "they are to be HOST:PORT,HOST:PORT"

_TAKEN = (  # what a transaction says that another one came before
    exceptions.NoNodeError,
    exceptions.NodeExistsError,
    exceptions.BadVersionError,
    exceptions.RolledBackError,
    exceptions.RuntimeInconsistency,
)

_log = logging.getLogger("arvnodeman.leader.zookeeper")
_log.setLevel(logging.ERROR)  # kazoo warns of every attempt to connect; that the store is away is told by who asks it


@dataclass(frozen=True, slots=True)
class _Leader:
    """What the ephemeral node says, and its own version and session."""

    holder: str
    domain: str
    token: str
    generation: int
    version: int
    session: int


@dataclass(frozen=True, slots=True)
class _Counter:
    generation: int
    version: int


def of_settings(settings: Settings, candidate: LeadCandidate) -> ZookeeperLeadership:
    """As [Leader] has it. Raises ConfigError, which repeats nothing of `servers`."""
    given = settings.leader
    servers, _, path = given.servers.partition("/")
    if not all(map(_is_server, servers.split(","))) or (path and not _FOLDERS.fullmatch(path)):
        raise ConfigError((f"[Leader] servers cannot be read: {_SERVERS_ARE}",))
    claimant = Claimant.this_process(candidate.name, settings)
    return ZookeeperLeadership(given.servers, candidate.cluster, claimant, ttl=given.ttl, timeout=given.timeout)


class ZookeeperLeadership:
    """One process at one ensemble, for one thread; kazoo has threads of its own. Nothing is asked before the first
    call, so it survives a fork.

    hosts: HOST:PORT with commas. ttl: seconds of a lease, which are those of the
    session; timeout: seconds for each call.
    """

    def __init__(
        self,
        hosts: str,
        cluster: str,
        claimant: Claimant,
        *,
        ttl: float,
        timeout: float,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._hosts, self._claimant = hosts, claimant
        self._ttl, self._timeout, self._clock = ttl, timeout, clock
        self._folder = f"{_PATH}/{quote(cluster, safe='')}"
        self._counter_path, self._leader_path = f"{self._folder}/generation", f"{self._folder}/leader"
        self._client: KazooClient | None = None
        self._live: Any = None
        self._away_since: float | None = None  # on the steady clock
        self._watched = Watched()
        self._held: _Counter | None = None  # under which this process leads, as far as it knows

    def __repr__(self) -> str:
        return f"<ZookeeperLeadership of {self._folder}>"

    # ---- the four verbs --------------------------------------------------------------------------------------------

    def take(self, at_least: int = 0) -> Hold | None:
        """As the port says. The lead is free when its node is gone: given up, or its session over. Where the counter is
        gone too, or behind what the caller knows, the ensemble has lost what it knew, and perhaps whom it let lead:
        then only once that was so for a whole lease."""
        began = self._clock()
        client, deadline = self._connected()
        leader, counter = self._leader(deadline), self._counter(deadline)
        seen = self._clock()
        if leader is not None and leader.token == self._claimant.token and counter is not None:
            if leader.session == client.client_id[0] and leader.generation == counter.generation >= at_least:
                self._held = counter  # an answer was lost
                with contextlib.suppress(NotTheLeader):
                    return self.hold()
                return None
        elif leader is not None and not self._claimant.follows(leader.domain):
            self._watched.forget()
            return None
        same_for = self._watched.unchanged(counter, began, seen)
        if (counter is None or counter.generation < at_least) and same_for < self._ttl:
            return None
        return self._make_leader(leader, counter, max(counter.generation if counter else 0, at_least) + 1)

    def hold(self) -> Hold:
        """As the port says; at once where the session has ended meanwhile."""
        if self._held is None:
            raise NotTheLeader("this process does not lead, or its session at ZooKeeper has ended")
        held, began = self._held, self._clock()
        client, deadline = self._connected()
        change = client.transaction()
        change.check(self._counter_path, held.version)
        change.set_data(self._leader_path, self._words(held.generation))
        if not self._commit(change, deadline):
            self._held = None
            raise NotTheLeader(led_by(self.who()))
        return Hold(held.generation, began)

    def give_up(self) -> None:
        """As the port says."""
        held, self._held = self._held, None
        if held is None:
            return
        client, deadline = self._connected()
        change = client.transaction()
        change.check(self._counter_path, held.version)
        change.delete(self._leader_path)
        self._commit(change, deadline)

    def who(self) -> Holder | None:
        """As the port says. It may be as old as what a follower knows."""
        leader = self._leader(self._connected()[1])
        return None if leader is None else Holder(leader.holder, leader.generation)

    def close(self) -> None:
        """Ends the session, and with it the lead. Never raises."""
        client, self._client, self._held = self._client, None, None
        if client is not None:
            ending = threading.Thread(target=_end, args=(client,), name="leader-zookeeper-end", daemon=True)
            ending.start()
            ending.join(self._timeout)

    # ---- asking ----------------------------------------------------------------------------------------------------

    def _connected(self) -> tuple[KazooClient, float]:
        """The client with a session, and until when it may be asked. Raises StoreAway."""
        deadline = self._clock() + self._timeout
        if self._client is None:
            self._client = self._make_client()
            self._live = self._client.start_async()
        client = self._client
        self._live.wait(self._timeout)
        if client.connected:
            self._away_since = None
        else:
            self._begin_anew_once_the_session_is_over()
            raise StoreAway(f"ZooKeeper at {self._hosts} has not answered for {self._timeout:g} s")
        return client, deadline

    def _begin_anew_once_the_session_is_over(self) -> None:
        """A server that has lost what it knew lets no client in that has seen more, for as long as that one tries."""
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        elif now - self._away_since > self._ttl + _HEARD:
            self._away_since = None
            client, self._client, self._held = self._client, None, None
            threading.Thread(target=_end, args=(client,), name="leader-zookeeper-end", daemon=True).start()

    def _make_client(self) -> KazooClient:
        try:
            client = KazooClient(
                hosts=self._hosts,
                timeout=self._ttl + _HEARD,
                connection_retry=dict(_WAITS),
                logger=_log,
            )
        except (ValueError, TypeError, exceptions.ConfigurationError):
            raise StoreAway(f"[Leader] servers cannot be read: {_SERVERS_ARE}") from None
        client.add_listener(self._on_state)
        return client

    def _on_state(self, state: str) -> None:
        """In a thread of kazoo's: a session that is over takes the lead along."""
        if state == KazooState.LOST:
            self._held = None

    def _leader(self, deadline: float) -> _Leader | None:
        found = self._get(self._leader_path, deadline)
        if found is None:
            return None
        data, stat = found
        try:
            words = json.loads(data)
            who = (str(words["holder"]), str(words["domain"]), str(words["token"]), int(words["generation"]))
        except (ValueError, TypeError, KeyError):
            raise StoreAway(f"ZooKeeper: {self._leader_path} was not written by this program") from None
        return _Leader(*who, stat.version, stat.ephemeralOwner)

    def _counter(self, deadline: float) -> _Counter | None:
        found = self._get(self._counter_path, deadline)
        if found is None:
            return None
        data, stat = found
        try:
            return _Counter(int(data), stat.version)
        except ValueError:
            raise StoreAway(f"ZooKeeper: {self._counter_path} was not written by this program") from None

    def _get(self, path: str, deadline: float) -> tuple[bytes, Any] | None:
        assert self._client is not None
        try:
            found: tuple[bytes, Any] = self._wait(self._client.get_async(path), deadline)
        except exceptions.NoNodeError:
            return None
        return found

    def _wait(self, answer: Any, deadline: float) -> Any:
        """What an asynchronous call of kazoo's comes to. Raises StoreAway, and NoNodeError."""
        try:
            return answer.get(timeout=max(0.0, deadline - self._clock()))
        except (exceptions.NoNodeError, exceptions.NodeExistsError):
            raise
        except KazooTimeoutError:
            raise StoreAway(f"ZooKeeper did not answer within {self._timeout:g} s") from None
        except (exceptions.KazooException, OSError) as error:
            raise StoreAway(f"ZooKeeper: {type(error).__name__} {error}".strip()) from None

    # ---- changing --------------------------------------------------------------------------------------------------

    def _make_leader(self, leader: _Leader | None, counter: _Counter | None, generation: int) -> Hold | None:
        began = self._clock()
        client, deadline = self._connected()
        granted = getattr(client, "_session_timeout", None)  # milliseconds; kazoo has no other word for it
        if granted is not None and granted < self._ttl * 1000:
            raise StoreAway(f"ZooKeeper ends sessions after {granted / 1000:g} s, and [Leader] ttl is {self._ttl:g}")
        change = client.transaction()
        if counter is None:
            self._ensure(self._folder, deadline)
            change.create(self._counter_path, str(generation).encode())
        else:
            change.set_data(self._counter_path, str(generation).encode(), version=counter.version)
        if leader is not None:  # of a dead process of this host, or of an earlier session of this process
            change.delete(self._leader_path, version=leader.version)
        change.create(self._leader_path, self._words(generation), ephemeral=True)
        if not self._commit(change, deadline):
            return None
        self._held = _Counter(generation, 0 if counter is None else counter.version + 1)
        return Hold(generation, began)

    def _ensure(self, path: str, deadline: float) -> None:
        assert self._client is not None
        parts = path.strip("/").split("/")
        for end in range(1, len(parts) + 1):
            with contextlib.suppress(exceptions.NodeExistsError):
                self._wait(self._client.create_async("/" + "/".join(parts[:end]), b""), deadline)

    def _commit(self, change: Any, deadline: float) -> bool:
        """Was all of it done? Raises StoreAway."""
        results: Sequence[object] = self._wait(change.commit_async(), deadline)
        failed = [each for each in results if isinstance(each, Exception)]
        expected = (
            exceptions.NoNodeError,
            exceptions.NodeExistsError,
            exceptions.BadVersionError,
            exceptions.RolledBackError,
        )
        for error in failed:
            if not isinstance(error, (*expected, exceptions.RuntimeInconsistency)):
                raise StoreAway(f"ZooKeeper: {type(error).__name__} {error}".strip())
        return not failed

    def _words(self, generation: int) -> bytes:
        who = self._claimant
        words = {"holder": who.name, "domain": who.domain, "token": who.token, "generation": generation}
        return json.dumps(words).encode()


def _is_server(text: str) -> bool:
    found = _SERVER.fullmatch(text.strip())
    return found is not None and (found[1] is None or 0 < int(found[1]) <= PORT_LIMIT)


def _end(client: KazooClient) -> None:
    """Ends its session, if it can still be told, and its threads."""
    with contextlib.suppress(exceptions.KazooException, KazooTimeoutError):
        client.stop()
        client.close()
