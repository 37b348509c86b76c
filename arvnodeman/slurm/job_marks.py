"""What stands in the AdminComment of a job that was given back to Slurm: nothing else of a job can be written by us and
listed again.

A text of ours begins with OURS. That the job's user wants it to run once at most (Requeue=0), and it was let be queued
again for this one time, is said by ONCE at the end of whatever text there is, until it is made good.
"""

from __future__ import annotations

OURS = "Node Manager:"
ONCE = " [Node Manager: once]"
COSTS = "cost $"
"""So begins what a job that has ended has cost."""
BACK = f"{OURS} back in the queue"


def marked(comment: str, *, once: bool) -> str:
    """The AdminComment of a job that is given back, where it was `comment`; somebody else's text stays."""
    text = comment.removesuffix(ONCE)
    text = text if text and not text.startswith(OURS) else BACK
    return text + ONCE if once or is_once(comment) else text


def unmarked(comment: str) -> str:
    """The same once the job is released: '' where there was nothing but a mark."""
    text = comment.removesuffix(ONCE)
    return "" if text == BACK else text


def commented(comment: str, text: str) -> str:
    """The AdminComment of a job of which this is to be said, where it was `comment`; '' for nothing. Somebody else's
    stays, and so does the mark of a job that was given back, until that is released."""
    if is_marked(comment) or (comment and not comment.startswith(OURS)):
        return comment
    return f"{OURS} {text}" if text else ""


def is_marked(comment: str) -> bool:
    """Was the job given back, and not released since?"""
    return comment == BACK or is_once(comment)


def is_once(comment: str) -> bool:
    """Is Requeue=0 to come back?"""
    return comment.endswith(ONCE)
