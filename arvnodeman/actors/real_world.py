"""The real World, as one thread holds it: lists from cloud, node records and queue, steps to the hands.

Its clients are made when they are first needed, in the thread that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from arvnodeman.actors.container_payers import ContainerPayers
from arvnodeman.actors.fetch import CloudFetch, Fetch, QueueFetch, RecordsFetch
from arvnodeman.actors.hands import Hands, Makers
from arvnodeman.actors.runs import RunsFetch
from arvnodeman.arvados.container_users import ContainerUsers
from arvnodeman.arvados.containers import Containers
from arvnodeman.arvados.jobs import JobsQueue
from arvnodeman.cloud.base import ping_url
from arvnodeman.cloud.registry import make_driver
from arvnodeman.config import Settings
from arvnodeman.fleet.messages import Poll, Step
from arvnodeman.fleet.values.budgets import Spending
from arvnodeman.fleet.values.waits import JobWaits
from arvnodeman.loop.world import Answer, Listed
from arvnodeman.money.runs import JobsOnNodes
from arvnodeman.records.keeper import make_keeper
from arvnodeman.scheduler.base import Scheduler
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.placing import PlacingSlurm
from arvnodeman.supervision.clock import Clock


class RealWorld:
    """For one thread: libcloud's and the SDK's clients are not thread-safe."""

    def __init__(self, fetches: Mapping[Poll, Fetch], hands: Hands) -> None:
        self._fetches = fetches
        self._hands = hands

    def list(self, poll: Poll) -> Listed:
        """Fetch one list. Raises RemoteFailure; SchedulerFailure when it was the scheduler."""
        return self._fetches[poll]()

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Each step is one request; several of one family are as few commands as may be. Raises RemoteFailure."""
        return [self._hands.do(steps[0])] if len(steps) == 1 else self._hands.do_all(steps)


def make_makers(settings: Settings, counts_jobs: Callable[[], bool] = lambda: False) -> Makers:
    """The clients as this configuration describes them. `counts_jobs`: does it matter now how many jobs are on each
    node that they share? Any thread."""
    daemon, arvados = settings.daemon, bool(settings.arvados.host)
    told: dict[str, float] = {}  # one for all threads

    def placing() -> PlacingSlurm:
        return PlacingSlurm(settings.slurm_timeout, told, ahead=daemon.ahead)

    def scheduler() -> Scheduler:
        if settings.places:
            return placing()
        return NamesInSlurm(
            settings.slurm_timeout,
            job_name_pattern=daemon.job_name_pattern,
            numbered=not arvados,
            list_stands=settings.poll_time_of(Poll.QUEUE) / 2,
            ahead=settings.daemon.ahead,
            share=settings.shares,
            counts_jobs=counts_jobs,
        )

    return Makers(
        driver=lambda: make_driver(settings),
        keeper=lambda: make_keeper(settings),
        scheduler=scheduler,
        jobs=(lambda: JobsQueue(settings)) if arvados else None,
        ping_url=lambda uuid, secret: ping_url(settings, uuid, secret),
        lease_by_tag=settings.lease_by_tag,
        placing=placing if settings.places else None,
    )


def make_fetches(
    settings: Settings,
    makers: Makers,
    clock: Clock,
    *,
    waits: JobWaits | None = None,
    check_rights: bool = False,
    remarks: dict[str, str] | None = None,
    spending: Callable[[float], Spending] | None = None,
    on_nodes: JobsOnNodes | None = None,
) -> dict[Poll, Fetch]:
    """What each list is fetched with. Without the slurm dispatcher and slurm_queue no Slurm command is run (row N5).

    `check_rights`: see whether this account may change nodes in Slurm, by a command that does so. `remarks`: is told of
    a Slurm of a version that was not tried. `spending`: what budgets have spent by a moment. `on_nodes`: is told which
    jobs are on which nodes."""
    policy = settings.policy()
    arvados, every = settings.arvados, settings.daemon.payers_poll_time
    has_containers = bool(arvados.host) and arvados.slurm_queue
    users = ContainerUsers(settings)  # in the queue's poller; that of node records has its own
    return {
        Poll.CLOUD: CloudFetch(makers.driver, clock),
        Poll.RECORDS: RecordsFetch(
            makers.keeper,
            makers.scheduler() if policy.asks_scheduler else None,
            clock,
            check_rights=check_rights and policy.slurm,
            remarks=remarks,
            runs=RunsFetch(
                on_nodes, every, clock, ContainerPayers(ContainerUsers(settings)) if has_containers else None
            )
            if on_nodes is not None and every
            else None,
        ),
        Poll.QUEUE: QueueFetch(
            makers.scheduler() if arvados.slurm_queue else None,
            makers.jobs if arvados.jobs_queue else None,
            clock,
            waits,
            Containers(settings, users=users) if has_containers else None,
            spending,
            ContainerPayers(users) if has_containers else None,
        ),
    }
