"""Patterns for paths, as of `java.nio.file.FileSystem.getPathMatcher` ("glob").

``*`` and ``?`` stay inside a folder, ``**`` crosses folders, ``{a,b}`` and ``[a-z]`` choose. Unlike
there, ``**/x`` also finds ``x`` at the top.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WILD = re.compile(r"[*?\[{]")
_PIECE = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]|\{|\}|,|\\.|[^\\]", re.DOTALL)
_SIMPLE = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def is_pattern(text: str) -> bool:
    """Say whether a text has wildcards."""
    return _WILD.search(text) is not None


def matches(path: str, pattern: str) -> bool:
    """Say whether a relative path fits a pattern."""
    return _compiled(pattern).fullmatch(path) is not None


def fits(path: str, pattern: str) -> bool:
    """Say whether a path fits a pattern; one without a slash at its start may begin anywhere."""
    if pattern.startswith(("/", "glob:/")):
        return matches(path, pattern)
    return matches(path, pattern) or matches(path, f"**/{pattern.removeprefix('glob:')}")


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    pattern = pattern.removeprefix("glob:").removeprefix("./").removeprefix("/")
    parts: list[str] = []
    depth = 0
    for piece in _PIECE.findall(pattern):
        if piece in ("{", "}"):
            depth += 1 if piece == "{" else -1
        parts.append("|" if piece == "," and depth else _part(piece))
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:  # braces that do not close: the text itself
        return re.compile(re.escape(pattern))


def _part(piece: str) -> str:
    if piece in _SIMPLE:
        return _SIMPLE[piece]
    if piece[0] == "[" and len(piece) > 1:
        negated = piece[1] in "!^"
        inner = piece[2 if negated else 1 : -1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[{'^' if negated else ''}{inner}]"
    return re.escape(piece[1:] if piece[0] == "\\" and len(piece) > 1 else piece)
