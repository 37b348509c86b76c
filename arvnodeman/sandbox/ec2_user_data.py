"""What one instance reads of user data that it shares with others: the metadata service and the shell, played.

The tests of the script itself run it in a real shell; here a site's computers only need what would come out of it.
"""

from __future__ import annotations

import re

_LIST = re.compile(r"<<'END_OF_LIST'\n(.*?)END_OF_LIST\n", re.DOTALL)
_TEXT = re.compile(r"<<'END_OF_TEXT'\n(.*)\nEND_OF_TEXT\n", re.DOTALL)
_MARK = re.compile(r'-e "s\|(@+\d+@+)\|\$v(\d+)\|g"')
_ESCAPED = re.compile(r"\\(.)")
_PING_URL = re.compile(r"https?://[^\s'\"]+/ping\?ping_secret=[^\s'\"]+")


def own_part(user_data: str, index: int) -> str | None:
    """The text that the instance with this launch index makes of its user data: all of it where it is not shared; None
    for one that has no line of its own, and so halts."""
    listed, text = _LIST.search(user_data), _TEXT.search(user_data)
    if listed is None or text is None:
        return user_data
    parts = next((line.split("|")[1:] for line in listed[1].splitlines() if line.startswith(f"{index}|")), None)
    if parts is None:
        return None
    filled = text[1] + "\n"
    for mark, number in _MARK.findall(user_data):
        filled = filled.replace(mark, _ESCAPED.sub(r"\1", parts[int(number)]))
    return filled


def read_by(user_data: str, index: int) -> str | None:
    """The same, for a computer that knows of bare ping URLs."""
    own = own_part(user_data, index)
    found = _PING_URL.search(own or "")
    return found[0] if found is not None else own
