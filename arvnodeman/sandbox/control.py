"""/site: how tests and the demo look at the site and play with it.

    GET  /site/ready
    GET  /site/state?with=nodes,slurm,jobs,records   figures always, lists on demand
    GET  /site/verdict
    GET  /site/ec2       with a cloud of moto's: {"made", "live", "instances": [...]}
    GET  /site/events?after=SEQ&kind=KIND        {"events": [{"seq", "at", "kind", "subject", "text"}, ...]}
    POST /site/jobs      {"jobs": [JOB, ...]} or {"workload": {"seed", "jobs", "window", "duration", "named"}}
                         JOB: {"name", "cores", "ram", "scratch", "size", "nodes", "duration", "priority", "arrives",
                         "held", "old_queue", "user"}, all optional (workload.JobSpec) -> {"names": [...]}
    POST /site/faults    {"rates": {NAME: 0..1}, "arm": {NAME: times}, "values": {NAME: seconds}, "end": true}, all
                         optional; faults.py has the names. `end` first ends those that there are, outages too
    POST /site/settings  {"quota", "slots", "shared_nodes", "resubmit_cancelled", "self_resume", "token": {"admin":
                         whether it is an administrator's, "may_not": [resources that its scopes lack]}}
    POST /site/nodes/ID  {"do": "vanish" | "halt" | "stop" | "preempt" | "break" | "mend" | "node-reboots" |
                         "node-loses-ping" | "node-loses-slurmd" | "node-reclaimed"}
    POST /site/slurm/NAME {"reserved": "" | "resv" | "maint"}; with a real Slurm, for NAME slurmctld:
                         {"do": "stop" | "start" | "restart"}
    POST /site/services/NAME {"away": simulated seconds} or {"clock": real seconds that it is fast} or {"restart": true}
                         (slurm); NAME: cloud, arvados or slurm
    POST /site/stop

Errors have the form of the cloud's: InvalidParameter 400, NotFound 404.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from arvnodeman.sandbox.nodes import Machine
from arvnodeman.sandbox.slurm import SlurmDouble
from arvnodeman.sandbox.wiring import PLACES, Site
from arvnodeman.sandbox.workload import job_spec, make_workload, of_every_kind


class Control:
    """Answers /site. `stop` ends the process once the answer is on its way. KeyError: not found; ValueError: bad input,
    in words."""

    def __init__(self, site: Site, stop: Callable[[], None]) -> None:
        self._site = site
        self._stop = stop

    def get(self, what: str, arguments: Mapping[str, str]) -> dict[str, object]:
        """GET /site/WHAT."""
        with self._site.clock.lock:
            match what:
                case "ready":
                    return {"ready": True}
                case "state":
                    return self._state(arguments.get("with", "").split(","))
                case "verdict":
                    return self._site.verdict().as_dict()
                case "events":
                    after = arguments.get("after", "0")
                    if not after.isdigit():
                        raise ValueError("after must be a whole number")
                    return {"events": self._site.events.since(int(after), arguments.get("kind", ""))}
                case _ if what in self._site.views:
                    shown: dict[str, object] = self._site.views[what]()
                    return shown
        raise KeyError(f"/site/{what}")

    def post(self, what: str, name: str, body: Any) -> dict[str, object]:
        """POST /site/WHAT[/NAME]."""
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        if (what, name) == ("slurm", "slurmctld"):  # it takes seconds, and the site lives on meanwhile
            self._site.slurm_side.slurmctld(str(body.get("do")))
            return {}
        with self._site.clock.lock:
            match what, name:
                case "jobs", "":
                    return {"names": self._add_jobs(body)}
                case "faults", "":
                    return self._set_faults(body)
                case "settings", "":
                    return self._change_settings(body)
                case "nodes", _:
                    return self._do_to_node(name, body)
                case "slurm", _:
                    return self._reserve(name, body)
                case "services", _:
                    return self._do_to_service(name, body)
                case "stop", "":
                    self._stop()
                    return {}
        raise KeyError(f"/site/{what}")

    # ---- looking ---------------------------------------------------------------------------------------------------

    def _state(self, lists: list[str]) -> dict[str, object]:
        site = self._site
        cloud, by_state = site.cloud, dict[str, int]()
        for node in cloud.nodes.values():
            by_state[node.state] = by_state.get(node.state, 0) + 1
        verdict = site.verdict()
        answer: dict[str, object] = {
            "at": site.clock.wall(),
            "elapsed": site.clock.elapsed(),
            "speed": site.clock.speed,
            "cloud": {"nodes": by_state, "quota": cloud.quota, "created": cloud.created},
            "slurm": dict(site.slurm_side.counts()),
            "jobs": site.dispatcher.counts(),
            "slots": len(verdict.slots_left),
            "cost": cloud.cost(),
            "most_at_once": cloud.most_at_once,
            "counts": dict(site.events.counts),
            "faults": site.faults.as_dict(),
            "quiet": verdict.quiet,
        }
        if "nodes" in lists:
            answer["node_list"] = [self._node(machine) for machine in site.machines.machines.values()]
        if "slurm" in lists:
            answer["slurm_list"] = {
                node.name: {"state": node.short(), "reason": node.reason} for node in site.slurm_side.nodes.values()
            }
        if "jobs" in lists:
            answer["job_list"] = [work.as_dict() for work in site.dispatcher.work.values()]
        if "records" in lists:
            answer["record_list"] = [self._record(row) for row in site.store.nodes.values()]
        return answer

    def _node(self, machine: Machine) -> dict[str, object]:
        slurm = self._site.slurm_side.nodes.get(machine.hostname)
        return {
            **machine.node.as_dict(),
            "hostname": machine.hostname,
            "pinged": machine.pinged,
            "halted": machine.halted,
            "job": machine.job,
            "slurm": slurm.short() if slurm else "",
        }

    @staticmethod
    def _record(row: Mapping[str, Any]) -> dict[str, object]:
        keys = ("uuid", "hostname", "slot_number", "ip_address", "first_ping_at", "last_ping_at", "properties")
        return {**{key: row[key] for key in keys}, "instance_id": row["info"].get("ec2_instance_id")}

    # ---- playing ---------------------------------------------------------------------------------------------------

    def _add_jobs(self, body: Mapping[str, Any]) -> list[str]:
        site = self._site
        specs = []
        for number, item in enumerate(_of(body, "jobs", list, [])):
            specs.append(job_spec(item, len(site.dispatcher.work) + number, site.options.cluster))
        if "workload" in body:
            wanted = {"seed": site.options.seed, "jobs": 20, **_of(body, "workload", dict, {})}
            try:
                specs.extend(make_workload(sizes=site.options.sizes, cluster=site.options.cluster, **wanted))
            except TypeError as error:
                raise ValueError(f"workload: {error}") from None
        if site.options.records == PLACES and "workload" in body:
            specs = list(of_every_kind(specs))
        for spec in specs:
            if isinstance(site.slurm_side, SlurmDouble) and (spec.tasks != 1 or spec.requeue):
                raise ValueError("tasks and requeue of a job are for a real Slurm alone")
            site.dispatcher.add(spec)
        return [spec.name for spec in specs]

    def _set_faults(self, body: Mapping[str, Any]) -> dict[str, object]:
        faults = self._site.faults
        if body.get("end") is True:
            faults.end()
            self._site.site_faults.end_outages()
        faults.set_rates(_of(body, "rates", dict, {}))
        faults.set_values(_of(body, "values", dict, {}))
        for key, times in _of(body, "arm", dict, {}).items():
            faults.arm(key, times)
        return faults.as_dict()

    def _change_settings(self, body: Mapping[str, Any]) -> dict[str, object]:
        site = self._site
        for key in body:
            match key:
                case "quota":
                    site.cloud.quota = _number(body, key)
                case "slots":
                    site.store.max_compute_vms = _number(body, key)
                case "shared_nodes":
                    site.slurm.shared_nodes = bool(body[key])
                case "resubmit_cancelled":
                    site.dispatcher.resubmit_cancelled = bool(body[key])
                case "self_resume":
                    site.machines.self_resume = bool(body[key])
                case "token":
                    rights = _of(body, key, dict, {})
                    may_not = tuple(str(name) for name in _of(rights, "may_not", list, []))
                    site.store.add_token(site.options.token, admin=bool(rights.get("admin", True)), may_not=may_not)
                case _:
                    raise ValueError(f"unknown setting {key!r}")
        return {}

    def _do_to_node(self, node_id: str, body: Mapping[str, Any]) -> dict[str, object]:
        node = self._site.cloud.nodes.get(node_id)
        if node is None:
            raise KeyError(f"node {node_id}")
        match body.get("do"):
            case "vanish":
                self._site.cloud.vanish(node, "asked")
            case "halt":
                self._site.machines.halt(node_id)
            case "stop":
                self._site.cloud.stop(node, "stopped")
            case "preempt":
                self._site.cloud.stop(node, "preempted")
            case "break" | "mend" as word:
                node.broken = word == "break"
            case str(deed) if deed in self._site.node_faults.deeds:
                machine = self._site.machines.machines.get(node_id)
                if machine is not None:
                    self._site.node_faults.deeds[deed](machine)
            case word:
                deeds = ", ".join(self._site.node_faults.deeds)
                raise ValueError(f"do must be vanish, halt, stop, preempt, break, mend, {deeds}, not {word!r}")
        return node.as_dict()

    def _do_to_service(self, name: str, body: Mapping[str, Any]) -> dict[str, object]:
        site_faults = self._site.site_faults
        match dict(body):
            case {"away": int() | float() as seconds}:
                site_faults.take_away(name, seconds)
            case {"clock": int() | float() as offset} if name in site_faults.clocks:
                site_faults.clocks[name].offset = float(offset)
            case {"restart": True} if name == "slurm":
                site_faults.restart_slurm()
            case _:
                raise ValueError("one of: away, clock (cloud, arvados), restart (slurm)")
        return {}

    def _reserve(self, name: str, body: Mapping[str, Any]) -> dict[str, object]:
        node = self._site.slurm.nodes.get(name)
        if node is None:
            raise KeyError(f"Slurm node {name}")
        reserved = body.get("reserved", "")
        if reserved not in ("", "resv", "maint"):
            raise ValueError(f"reserved must be '', 'resv' or 'maint', not {reserved!r}")
        node.reserved = reserved
        self._site.slurm.changed()
        return {"state": node.short()}


def _of(body: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = body.get(key, default)
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be a JSON {'object' if kind is dict else 'list'}")
    return value


def _number(body: Mapping[str, Any], key: str) -> int:
    value = body[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key} must be a whole number, not {value!r}")
    return value
