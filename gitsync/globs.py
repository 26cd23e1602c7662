"""Patterns over branches, tags and paths, as GitHub's workflow files have them. Pure.

``*`` is anything but ``/``, ``**`` anything, ``?`` one character, ``[abc]`` one of these; ``!`` at
the start takes back what earlier patterns matched, so the last matching pattern decides.

Source: https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#filter-pattern-cheat-sheet
(there ``?`` and ``+`` repeat; here ``?`` is one character, as in a shell).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_PIECES = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|.", re.DOTALL)
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matches(patterns: Sequence[str], text: str) -> bool:
    """Say whether the last pattern that speaks of *text* takes it in."""
    taken = False
    for pattern in patterns:
        if pattern.startswith("!"):
            taken = taken and not _compiled(pattern[1:]).fullmatch(text)
        else:
            taken = taken or _compiled(pattern).fullmatch(text) is not None
    return taken


def any_matches(patterns: Sequence[str], texts: Iterable[str]) -> bool:
    """Say whether one of *texts* is taken in."""
    return any(matches(patterns, text) for text in texts)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(map(_piece, _PIECES.findall(pattern))), re.DOTALL)


def _piece(piece: str) -> str:
    if fixed := _FIXED.get(piece):
        return fixed
    if len(piece) > 1:
        negated = piece[1] == "!"
        inside = re.sub(r"([\\\]\[^&~|])", r"\\\1", piece[2:-1] if negated else piece[1:-1])
        return f"[{'^/' if negated else ''}{inside}]"
    return re.escape(piece)
