"""`encrypt` and `decrypt`: AES-GCM, the 12 bytes of the nonce in front, all of it in Base64."""

from __future__ import annotations

import base64
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.registry import FUNCTIONS
from runner.expressions.values import describe

function = FUNCTIONS.register
_NONCE_BYTES = 12


@function(
    "encrypt(key*, plaintext*)",
    ("{{ encrypt('MTIzNDU2Nzg5MDEyMzQ1Ng==', 'plain') | length }}", "44"),
)
def encrypt(frame: Frame, key: Any, plaintext: Any) -> str:
    """The text encrypted with a Base64 key of 16, 24 or 32 bytes."""
    cipher = _cipher(key)
    text = _string(plaintext, "plaintext")
    if not text:
        return text
    nonce = frame.world.random_bytes(_NONCE_BYTES)
    sealed: bytes = nonce + cipher.encrypt(nonce, text.encode(errors="replace"), None)
    return base64.b64encode(sealed).decode()


@function(
    "decrypt(key*, encrypted*)",
    (
        "{{ decrypt('MTIzNDU2Nzg5MDEyMzQ1Ng==', encrypt('MTIzNDU2Nzg5MDEyMzQ1Ng==', 'x')) }}",
        "x",
    ),
)
def decrypt(key: Any, encrypted: Any) -> str:
    """The text that `encrypt` made this of."""
    from cryptography.exceptions import InvalidTag

    cipher = _cipher(key)
    text = _string(encrypted, "encrypted")
    if not text:
        return text
    try:
        sealed = base64.b64decode(text, validate=True)
        opened: bytes = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        return opened.decode()
    except (ValueError, InvalidTag) as error:
        raise ExpressionError("decrypt: the text was not encrypted with this key") from error


def _cipher(key: Any) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(base64.b64decode(_string(key, "key"), validate=True))
    except ValueError as error:
        raise ExpressionError("the key is 16, 24 or 32 bytes in Base64") from error


def _string(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise ExpressionError(f"{name} must be a string, not {describe(value)}")
