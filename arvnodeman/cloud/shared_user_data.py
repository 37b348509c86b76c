"""One text of user data for several EC2 instances that one request makes: each takes its own part by its launch index.

All instances of a request read the same user data. So what differs from node to node goes into a list, a line for each
launch index, and into the template's text go marks in the place of it; a shell script puts the two together on the node
and runs what comes out. A node that has no line of its own halts: it is nobody's, and must never take another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arvnodeman.cloud.user_data import NAMES, Template

_SEPARATOR = "|"  # between the parts of a line, and round those of sed's commands
_SCRIPT = """\
#!/bin/sh
# One request made several nodes, and all of them read this text. Each takes the line of its own launch index. One that
# has none halts: it is nobody's node, and must not take the place of another.
metadata=http://169.254.169.254/latest
tries=0
give_up() {
    echo "Node Manager: $1: this node halts" >&2
    shutdown -h now || poweroff -f || halt -f
    exit 1
}
ask_for_index() {
    token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token") || token=
    if [ -n "$token" ]; then
        curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/ami-launch-index"
    else
        curl -sf -m 5 "$metadata/meta-data/ami-launch-index"
    fi
}
until index=$(ask_for_index) && [ -n "$index" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || give_up 'the metadata service does not tell its launch index'
    sleep 5
done
case $index in
    *[!0-9]* | 0?* | ??????*) give_up 'its launch index is not a number' ;;
esac
line=$(sed -n "$((index + 1))p" <<'END_OF_LIST'
@LIST@END_OF_LIST
)
case $line in
    "$index|"*) ;;
    *) give_up "no node is wanted for the launch index $index" ;;
esac
IFS='|' read -r _ @VARIABLES@ <<END_OF_LINE
$line
END_OF_LINE
script=$(mktemp) || give_up 'there is no room for its script'
sed @COMMANDS@ >"$script" <<'END_OF_TEXT'
@TEXT@END_OF_TEXT
chmod 700 "$script"
"$script" "$@"
status=$?
rm -f "$script"
exit "$status"
"""


class CannotBeShared(ValueError):
    """The user data cannot serve several nodes; the message is one line that says why."""


def is_sharable(template: Template) -> bool:
    """Can a text for several nodes be made of this template? It is a script, or names nothing that differs."""
    return template.text.startswith("#!") or not template.names & _OWN


_OWN = frozenset(NAMES) - {"size", "instance_type", "cluster"}  # what may differ among nodes of one request


def shared_text(template: Template, nodes: Sequence[Mapping[str, str]]) -> str:
    """The user data for these nodes, in the order of their launch indexes: `values_for` of each. Where nothing in it
    differs it is the template filled. Raises CannotBeShared."""
    differing = [name for name in sorted(template.names) if len({values[name] for values in nodes}) > 1]
    if not differing:
        return template.filled(nodes[0])
    if not template.text.startswith("#!"):
        raise CannotBeShared("it does not begin with #!, so no node can run it")
    columns = [_Column([values[name] for values in nodes]) for name in differing]
    marks = _marks(template, len(columns))
    places = dict(
        zip(differing, (column.around(mark) for column, mark in zip(columns, marks, strict=True)), strict=True)
    )
    text = template.filled({**nodes[0], **places})
    parts = {
        "@LIST@": "".join(
            f"{_SEPARATOR.join([str(index), *line])}\n"
            for index, line in enumerate(zip(*(column.parts for column in columns), strict=True))
        ),
        "@VARIABLES@": " ".join(f"v{number}" for number in range(len(columns))),
        "@COMMANDS@": " ".join(f'-e "s|{mark}|$v{number}|g"' for number, mark in enumerate(marks)),
        "@TEXT@": text if text.endswith("\n") else text + "\n",
    }
    if "END_OF_TEXT" in parts["@TEXT@"].splitlines():
        raise CannotBeShared("it has a line END_OF_TEXT")
    made = _SCRIPT
    for place, part in parts.items():  # the text last: it may have anything in it
        made = made.replace(place, part, 1)
    return made


class _Column:
    """One value of each node: what all of them begin and end with, and what is between, as sed wants it."""

    def __init__(self, values: Sequence[str]) -> None:
        """Raises CannotBeShared."""
        self._head = common_start(values)
        rest = [value[len(self._head) :] for value in values]
        self._tail = common_start([value[::-1] for value in rest])[::-1]
        parts = [value[: len(value) - len(self._tail)] for value in rest]
        if any(each in part for part in parts for each in (_SEPARATOR, "\n")):
            raise CannotBeShared("a value has a | or more than one line")
        self.parts = list(map(_escaped, parts))

    def around(self, mark: str) -> str:
        return f"{self._head}{mark}{self._tail}"


def common_start(texts: Sequence[str]) -> str:
    """What all of these begin with."""
    least, most = min(texts), max(texts)  # all others begin with what these two have in common
    return least[: next((place for place, letter in enumerate(least) if most[place] != letter), len(least))]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("&", "\\&")


def _marks(template: Template, count: int) -> list[str]:
    """Texts that are not in the template."""
    sign = "@"
    while f"{sign}0" in template.text or f"{sign}1" in template.text:
        sign += "@"
    return [f"{sign}{number}{sign}" for number in range(count)]
