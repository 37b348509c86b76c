"""squeue, sinfo, scontrol, scancel and sdiag as small programs that ask the site.

They are bash scripts, since the daemon may call them hundreds of times: one starts in about a millisecond, where Python
needs twenty. Arguments travel as they are, each ended by a NUL byte; see routes.py for the answer.
"""

from __future__ import annotations

from pathlib import Path

from arvnodeman.fence.fence import GENERATION_HEADER, GENERATION_VARIABLE
from arvnodeman.sandbox.routes import ARGV_TYPE
from arvnodeman.sandbox.slurm_commands import COMMANDS, FROM_STDIN, away

_SCRIPT = """\
#!/bin/bash
# {name} of a sandbox site: asks the site on port {port}.
LC_ALL=C
trap '' PIPE  # a site that hangs up is away, too
away() {{
  {away}
  exit 1
}}
[[ {name} == scontrol && $# == 0 ]] && IFS= read -rd '' text && true; [[ -v text ]] && set -- {from_stdin} "$text"
{{ exec 3<>/dev/tcp/127.0.0.1/{port}; }} 2>/dev/null || away "$@"
length={own_length} form='{name}\\0'
for argument in "$@"; do
  (( length += ${{#argument}} + 1 ))
  form+='%s\\0'
done
head='POST /slurm HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\nContent-Type: {content_type}\\r\\n'
head+="{generation}: ${{{variable}:-0}}\\r\\nContent-Length: "
printf "$head$length\\\\r\\\\n\\\\r\\\\n$form" "$@" >&3 2>/dev/null
code= size=
while IFS=': ' read -r key value <&3; do
  value=${{value%$'\\r'}}
  case $key in
    X-Returncode) code=$value ;;
    X-Stderr) printf '%s\\n' "$value" >&2 ;;
    Content-Length) size=$value ;;
    $'\\r') break ;;
  esac
done
[[ $code && $size ]] || away "$@"
trap - PIPE
[[ $size == 0 ]] || cat <&3
exit "$code"
"""

_PING = (
    "Slurmctld(primary) at sandbox is DOWN",
    "*****************************************",
    "** RESTORE SLURMCTLD DAEMON TO SERVICE **",
    "*****************************************",
)


def write_commands(folder: Path, port: int) -> None:
    """Write the commands into this folder, for a PATH. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        script = _SCRIPT.format(
            name=name,
            port=port,
            away=_away(name),
            own_length=len(name) + 1,
            content_type=ARGV_TYPE,
            generation=GENERATION_HEADER,
            variable=GENERATION_VARIABLE,
            from_stdin=FROM_STDIN,
        )
        path = folder / name
        path.write_text(script, encoding="ascii")
        path.chmod(0o755)


def _away(name: str) -> str:
    """What the command says, in bash, when nobody answers."""
    complaint = f"echo '{away(name).stderr.rstrip()}' >&2"
    if name != "scontrol":
        return complaint
    show = f"echo '{away('show').stderr.rstrip()}' >&2"
    ping = "; ".join(f"echo '{text}'" for text in _PING)
    return f"case $1 in ping) {ping} ;; show) {show} ;; *) {complaint} ;; esac"
