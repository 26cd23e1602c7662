"""Identifiers: random, 22 characters of [0-9A-Za-z], as Kestra's clients expect them."""

from __future__ import annotations

import secrets
from typing import NewType

ExecutionId = NewType("ExecutionId", str)
TaskRunId = NewType("TaskRunId", str)

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE = len(_ALPHABET)


def new() -> str:
    """Return a fresh random id of 22 characters (130 bits)."""
    number = secrets.randbits(130)
    return encode(number, width=22)


def encode(number: int, *, width: int) -> str:
    """Return *number* in base 62, padded with zeros to *width* characters and cut to it."""
    letters = []
    for _ in range(width):
        number, digit = divmod(number, _BASE)
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))


def inner_task_run_id(parent_id: str, attempt: int, index: int) -> TaskRunId:
    """Return the id of a task run inside an attempt of another one: the same for the same three."""
    return TaskRunId(f"{parent_id}{encode(attempt, width=2)}{encode(index, width=3)}")


def task_run_id(execution_id: str, sequence: int) -> TaskRunId:
    """Return the id of the *sequence*-th task run of an execution: the same for the same pair."""
    return TaskRunId(f"{execution_id}{encode(sequence, width=5)}")


def slug(text: str) -> str:
    """Return what stands for an id in paths: lower case, blanks and underscores to dashes, other
    non-word characters dropped.
    """
    kept = "".join("-" if c in " _-" else c for c in text.lower() if c.isalnum() or c in " _-")
    while "--" in kept:
        kept = kept.replace("--", "-")
    return kept.strip("-")
