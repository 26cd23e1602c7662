"""Values that are stored encrypted: AES-GCM, the 12 bytes of the nonce in front, in Base64.

They are maps ``{type: io.kestra.datatype:aes_encrypted, value: …}``, as Kestra has them. Without a
key tasks keep such values as plain text, and SECRET inputs are refused.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from typing import Any

from runner.errors import Refused, SettingsInvalid

MARK = "io.kestra.datatype:aes_encrypted"
NO_KEY = (
    "Unable to use a `SECRET` input/output as encryption is not configured: set `encryption_key`"
)
_NONCE_BYTES = 12


class Seal:
    """Encrypts and decrypts with one key (None: there is none)."""

    def __init__(self, key: str | None) -> None:
        self._cipher = None if key is None else _cipher(key)

    @property
    def has_key(self) -> bool:
        return self._cipher is not None

    def close(self, text: str) -> dict[str, str]:
        """Return a text as a map that hides it. Raises Refused: there is no key."""
        if self._cipher is None:
            raise Refused(NO_KEY)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), None)
        return {"type": MARK, "value": base64.b64encode(sealed).decode()}

    def close_output(self, text: str) -> dict[str, str]:
        """The same for an output of a task; without a key it stays plain."""
        return {"type": MARK, "value": text} if self._cipher is None else self.close(text)

    def open(self, sealed: Mapping[str, Any]) -> str:
        """Return the text of such a map. Raises Refused: it was made with another key."""
        text = str(sealed["value"])
        if self._cipher is None:
            return text
        from cryptography.exceptions import InvalidTag

        try:
            data = base64.b64decode(text, validate=True)
            opened: bytes = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
        except (ValueError, InvalidTag) as exc:
            raise Refused("an encrypted value was made with another key") from exc
        return opened.decode()

    def opened(self, value: Any, seen: Callable[[str], object]) -> Any:
        """Return plain data with every such map in it as its text; *seen* hears each text."""
        if is_sealed(value):
            text = self.open(value)
            seen(text)
            return text
        if isinstance(value, Mapping):
            return {key: self.opened(item, seen) for key, item in value.items()}
        if isinstance(value, list):
            return [self.opened(item, seen) for item in value]
        return value


def is_sealed(value: Any) -> bool:
    """Say whether a value is such a map."""
    return isinstance(value, Mapping) and value.get("type") == MARK and "value" in value


def holds_sealed(value: Any) -> bool:
    """Say whether one is anywhere inside."""
    if isinstance(value, Mapping):
        return is_sealed(value) or any(map(holds_sealed, value.values()))
    return isinstance(value, list) and any(map(holds_sealed, value))


def _cipher(key: str) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(base64.b64decode(key, validate=True))
    except ValueError as exc:
        raise SettingsInvalid(
            "encryption_key must be 16, 24 or 32 bytes in Base64: `openssl rand -base64 32`"
        ) from exc
