"""The site as a process: `arvados-node-manager sandbox`.

Everything is served by HTTP on loopback, the four Slurm commands are written into a directory for PATH. The site
outlives a daemon that is killed, and is stopped by SIGTERM, SIGINT, POST /site/stop or, with --until-eof, by the end of
its standard input. Its one clock thread lets everything happen; requests take turns with it by the clock's lock.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from waitress.server import create_server  # type: ignore[import-untyped]  # waitress has no types

from arvnodeman.sandbox.clock import LiveClock
from arvnodeman.sandbox.cloud import PAGE
from arvnodeman.sandbox.commands import write_commands
from arvnodeman.sandbox.ec2_moto import MotoMissing
from arvnodeman.sandbox.ec2_site import Ec2Site
from arvnodeman.sandbox.faults import FAULTS, Faults, UnknownFault
from arvnodeman.sandbox.nodes import REAL_MEMORY
from arvnodeman.sandbox.openstack_lab import OpenStackFailed
from arvnodeman.sandbox.openstack_releases import chosen, install
from arvnodeman.sandbox.openstack_site import OpenStackSite
from arvnodeman.sandbox.real_slurm import PrivateSlurm, SlurmFailed
from arvnodeman.sandbox.real_slurm_conf import MOST_NODES, CloudNames, Shape, SlurmMissing
from arvnodeman.sandbox.real_slurm_site import RealSlurm
from arvnodeman.sandbox.request_faults import FaultyApplication
from arvnodeman.sandbox.routes import SiteApplication
from arvnodeman.sandbox.settings import SiteAddress, write_config
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION
from arvnodeman.sandbox.slurm_root import NotPossible, too_old
from arvnodeman.sandbox.wiring import PLACES, RECORDS, Site, SiteOptions
from arvnodeman.sandbox.workload import make_workload
from arvnodeman.terminal.command_line import CommandLine

CLOUDS = ("sandbox", "ec2", "openstack")
_THREADS = 64  # requests at once; those that hang or are slow hold one for as long
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
ONLY_REAL = f"--records {PLACES} needs --slurm real: no double places jobs on names that are off"
_PROGRAM = "arvados-node-manager sandbox"


def main(argv: Sequence[str]) -> int:
    """Run a site until somebody stops it. Returns the exit code.

    Its first line on stdout is JSON, which `SiteAddress.from_line` reads; on a terminal, words for people.
    """
    parser = _parser()
    given = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s: %(message)s")
    logging.getLogger("waitress").setLevel(logging.ERROR)  # answers that are cut short are no news here
    if given.records == PLACES and given.slurm != "real":
        parser.error(ONLY_REAL)
    options = SiteOptions(
        seed=given.seed,
        speed=given.speed,
        slots=given.slots,
        quota=given.quota,
        page=given.page,
        jobs_mode=given.jobs_api,
        records=given.records,
        address="127.0.0.1" if given.slurm == "real" and given.records != "arvados" else "",
    )
    try:
        rates = dict(_rate(text) for text in given.fault)
        Faults(options.seed).set_rates(rates)
    except UnknownFault as error:
        parser.error(str(error))
    for number in _STOPS:
        signal.signal(number, _end)
    with contextlib.ExitStack() as stack:
        folder = Path(given.dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="arvados-sandbox-")))
        try:
            site, slurm_conf = _make_site(options, given.slurm, stack)
            cloud = _other_cloud(site, given, stack)
        except (SlurmMissing, SlurmFailed, MotoMissing, OpenStackFailed, NotPossible, OSError) as error:
            sys.stderr.write(f"{_PROGRAM}: {error}\n")
            return 1
        site.faults.set_rates(rates)
        return _serve(site, given, folder, slurm_conf, cloud)


def _make_site(options: SiteOptions, slurm: str, stack: contextlib.ExitStack) -> tuple[Site, str]:
    """A site with a double of Slurm, or on a real one that ends with `stack`; and the path of that one's slurm.conf."""
    clock = LiveClock(options.speed)
    if options.records == PLACES:
        return _make_placing_site(options, clock, stack)
    if slurm == "double":
        return Site(options, clock), ""
    largest = {part: max(getattr(size, part) for size in options.sizes) for part in ("cores", "ram", "disk")}
    shape = Shape(
        nodes=options.slots,
        cores=largest["cores"],
        memory=largest["ram"],
        tmp=largest["disk"] * 1000,
        features=tuple(f"instancetype={size.id}" for size in options.sizes),
    )
    if options.records == "slurm":  # plain jobs, each to run once: one whose slurmd answers late is started again
        shape = replace(shape, slurmd_timeout=30, message_timeout=20)
    return _on(shape, DEFAULT_PARTITION, options, clock, stack)


def _other_cloud(site: Site, given: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, dict[str, str]]:
    """Another cloud in the place of the site's own, which ends with `stack`; its sections of the configuration."""
    if given.cloud == "ec2":
        ec2 = Ec2Site(site, throttled=given.throttled)
        with _without_signals():
            return ec2.config(ec2.start())
    if given.cloud == "openstack":
        release = chosen()
        install(release, sys.stderr.write)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arvados-openstack-")))
        openstack = OpenStackSite(site, release, folder)
        stack.callback(openstack.stop)
        with _without_signals():
            openstack.start()
        return openstack.config()
    return {}


@contextlib.contextmanager
def _without_signals() -> Iterator[None]:
    """Threads that are started inside get none: they are the main thread's alone."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _make_placing_site(options: SiteOptions, clock: LiveClock, stack: contextlib.ExitStack) -> tuple[Site, str]:
    """One whose Slurm places jobs on names that are off, the cheapest first."""
    if complaint := too_old():
        raise SlurmMissing(complaint)
    names = tuple(
        CloudNames(
            names=f"{size.id}-[1-{options.names_of_size}]",
            size=size.id,
            cores=size.cores,
            memory=int(size.ram * REAL_MEMORY),
            tmp=size.disk * 1000,
            weight=weight,
        )
        for weight, size in enumerate(sorted(options.sizes, key=lambda size: size.price), start=1)
    )
    power = (("ResumeTimeout", "900"),)
    shape = Shape(nodes=1, cloud=names, power=power, pokes=True, slurmd_timeout=30, message_timeout=20)
    return _on(shape, "cloud", options, clock, stack)


def _on(
    shape: Shape, partition: str, options: SiteOptions, clock: LiveClock, stack: contextlib.ExitStack
) -> tuple[Site, str]:
    """A site on this Slurm, which ends with `stack`; and the path of its slurm.conf."""
    private = PrivateSlurm(shape)
    real = RealSlurm(clock, private, partition)
    stack.callback(real.stop)
    site = Site(options, clock, real)
    real.start()
    return site, str(private.folder / "slurm.conf")


def _parser() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog=_PROGRAM, description="A whole site on this machine: Arvados API, cloud, Slurm, compute nodes and jobs."
    )
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--dir", metavar="DIR", help="where the four Slurm commands go (default: a temporary one)")
    parser.add_argument("--config", metavar="FILE", help="write a configuration file for the daemon to this file")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same jobs, boots and faults")
    parser.add_argument("--speed", type=_above_zero, default=20.0, help="how much faster than life (default 20)")
    parser.add_argument("--slots", type=int, default=64, help="compute nodes that Slurm and Arvados have names for")
    parser.add_argument(
        "--slurm",
        choices=("double", "real"),
        default="double",
        help=f"real: munged, slurmctld and slurmds of its own, on this machine (at most {MOST_NODES} nodes)",
    )
    parser.add_argument("--throttled", action="store_true", help="ec2 refuses too many requests, as it documents")
    parser.add_argument(
        "--cloud",
        choices=CLOUDS,
        default="sandbox",
        help="in the place of its own: moto's EC2, or a real nova and keystone (OPENSTACK_RELEASE says of which "
        "release; installed once)",
    )
    parser.add_argument(
        "--records",
        choices=RECORDS,
        default="arvados",
        help="slurm: no Arvados at all; Slurm is alone, and its node names are the records. arvados-3: they are, and "
        "the jobs are containers of an Arvados 3.x. slurm-cloud: Slurm places jobs on names that are off",
    )
    parser.add_argument("--quota", type=int, default=1000, help="nodes that the cloud allows")
    parser.add_argument("--page", type=int, default=PAGE, help=f"nodes on a page of the cloud's list (default {PAGE})")
    parser.add_argument("--jobs", type=int, default=0, help="jobs to begin with (default 0)")
    parser.add_argument("--window", type=float, default=600.0, help="simulated seconds in which they arrive")
    parser.add_argument("--duration", type=float, default=240.0, help="simulated seconds that one runs on average")
    parser.add_argument("--jobs-api", choices=("1.4", "2.0"), default="2.0", help="which Arvados: 1.4 has a jobs queue")
    parser.add_argument(
        "--fault", metavar="NAME=RATE", action="append", default=[], help=f"one of: {', '.join(FAULTS)}"
    )
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    return parser


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"there is no port {number}")
    return number


def _rate(text: str) -> tuple[str, float]:
    name, _, rate = text.partition("=")
    try:
        return name, float(rate)
    except ValueError:
        raise UnknownFault(f"--fault {text!r} is not NAME=RATE") from None


def _serve(
    site: Site,
    given: argparse.Namespace,
    folder: Path,
    slurm_conf: str,
    cloud: Mapping[str, Mapping[str, str]],
) -> int:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # for the threads: signals are the main thread's alone
    try:
        application = FaultyApplication(
            SiteApplication(site, _stop_soon), site.clock.lock, site.faults, site.events, site.site_faults
        )
        server = create_server(
            application,
            host="127.0.0.1",
            port=given.port,
            threads=_THREADS,
            ident=None,
            backlog=1024,
            connection_limit=1000,
            asyncore_use_poll=True,
        )
    except OSError as error:
        sys.stderr.write(f"{_PROGRAM}: port {given.port}: {error}\n")
        return 1
    port = int(server.effective_port)
    address = SiteAddress.of(site.options, port, os.getpid(), str(folder.resolve()), slurm_conf, cloud)
    try:
        if not slurm_conf:
            write_commands(folder, address.port)
        if given.config:
            write_config(address, Path(given.config))
    except OSError as error:
        sys.stderr.write(f"{_PROGRAM}: {error}\n")
        return 1
    sizes = site.options.sizes
    for spec in make_workload(site.options.seed, given.jobs, sizes, window=given.window, duration=given.duration):
        site.dispatcher.add(spec)
    clock = site.clock
    assert isinstance(clock, LiveClock)
    threading.Thread(target=clock.run, name="clock", daemon=True).start()
    if given.until_eof:
        threading.Thread(target=_wait_for_eof, name="eof", daemon=True).start()
    sys.stdout.write(greeting(address, given.config) if sys.stdout.isatty() else address.line() + "\n")
    sys.stdout.flush()
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        server.run()
    finally:
        clock.stop()
        server.close()
    return 0


def greeting(address: SiteAddress, config: str | None) -> str:
    """The text for people when the site is ready."""
    lines = [
        f"The site is at {address.url}, {address.speed:g} times faster than life; {address.url}/site/state shows it."
    ]
    if address.slurm_conf:
        setting = f"SLURM_CONF={address.slurm_conf}"
        lines.append(f"Its Slurm is a real one: with {setting} in the environment, Slurm's commands reach it.")
    else:
        setting = f"PATH={address.bin}:$PATH"
        lines.append(f"Its squeue, sinfo, scontrol, scancel and sdiag are in {address.bin}.")
    if config:
        command = f"{setting} arvados-node-manager --config {config} --foreground"
        lines.append(f"Run the daemon on it with: {command}")
    else:
        lines.append("Start it with --config FILE to get a configuration file for the daemon.")
    return "\n".join([*lines, "Ctrl-C ends it."]) + "\n"


def _end(_signal: int, _frame: object) -> None:
    """The first signal ends the site; those behind it, as when standard input closes too, must not break its end."""
    already = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    if not already & _STOPS:
        raise SystemExit(0)


def _stop_soon() -> None:
    """Stop once the answer that is being made is out."""
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()


def _wait_for_eof() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held at the interpreter's end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
