"""Requests with a key: the same request twice starts one execution, another one is refused.

What was asked for is kept as a digest beside the key, so that a key that is used for something
else does not silently answer with what it had started.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.engine.codec import to_text
from runner.errors import ArgumentInvalid
from runner.services.inputs import Given, Upload
from runner.services.principal import Principal
from runner.store.base import Tx

_BLOCK = 1 << 20


class KeyReused(ArgumentInvalid):
    """The key was used for another request."""

    code = "key_reused"


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's key, and the digest of what he asks for with it."""

    text: str
    digest: str

    def claim(self, tx: Tx, execution_id: str, *, by: Principal) -> str | None:
        """Take the key: None if it was free, else the execution that has it. Raises KeyReused."""
        name = f"request:{by.name}/{self.text}"
        taken = tx.firings.claim(name, execution_id, self.digest)
        if taken is not None and tx.firings.digest(name) not in (None, self.digest):
            raise KeyReused(
                f"the key '{self.text}' was used for another request, which started execution"
                f" {taken}: send this one with a key of its own"
            )
        return taken


def key(text: str | None, *asked: Any, inputs: Mapping[str, Given] | None) -> Key | None:
    """Return the key of a request for *asked* with these inputs; None: it has none.

    Files are read and wound back.
    """
    if not text:
        return None
    given = None if inputs is None else {name: _seen(value) for name, value in inputs.items()}
    whole = to_text([*asked, sorted(given.items()) if given is not None else None])
    return Key(text, hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest())


def _seen(value: Given) -> Any:
    if not isinstance(value, Upload):
        return value
    digest = hashlib.sha256()
    while block := value.stream.read(_BLOCK):
        digest.update(block)
    value.stream.seek(0)
    return [value.filename, digest.hexdigest()]
