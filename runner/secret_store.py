"""Secrets at rest: a file in the home, each value encrypted with the server's key.

``headrace secret set NAME`` writes it; running processes see the change with their next look.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from runner.errors import ArgumentInvalid, NotFound, SettingsInvalid
from runner.sealing import MARK, Seal
from runner.secrets import MIN_LENGTH, Mask, Secrets

FILE_NAME = "secrets.sealed.yaml"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class SecretFile:
    """The file: name → encrypted value. Safe to read while another process writes."""

    def __init__(self, path: Path, seal: Seal) -> None:
        self._path = path
        self._seal = seal

    @property
    def version(self) -> tuple[int, int] | None:
        """What changes when the file does; None: there is no file."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    def names(self) -> list[str]:
        return sorted(self._sealed())

    def read(self) -> dict[str, str]:
        """Return all values. Raises Refused: they were encrypted with another key."""
        return {name: self._opened(value) for name, value in self._sealed().items()}

    def set(self, name: str, value: str) -> None:
        """Write a value. Raises ArgumentInvalid, Refused: the server has no key."""
        if not _NAME.fullmatch(name):
            raise ArgumentInvalid(f"{name!r} is no name of a secret: use letters, digits and _")
        if len(value) < MIN_LENGTH:
            raise ArgumentInvalid(
                f"a secret of fewer than {MIN_LENGTH} characters could not be masked in logs"
            )
        sealed = self._seal.close(value)["value"]
        self._write({**self._sealed(), name.upper(): sealed})

    def remove(self, name: str) -> None:
        """Remove one. Raises NotFound."""
        left = dict(self._sealed())
        if left.pop(name.upper(), None) is None:
            raise NotFound(f"there is no secret '{name}' in {self._path}")
        self._write(left)

    def _opened(self, value: str) -> str:
        if not self._seal.has_key:
            raise SettingsInvalid(f"{self._path} is encrypted: set encryption_key")
        return self._seal.open({"type": MARK, "value": value})

    def _sealed(self) -> Mapping[str, str]:
        try:
            content = yaml.safe_load(self._path.read_text("utf-8")) or {}
        except FileNotFoundError:
            return {}
        except (OSError, yaml.YAMLError) as exc:
            raise SettingsInvalid(f"{self._path} cannot be read: {exc}") from exc
        if not isinstance(content, dict):
            raise SettingsInvalid(f"{self._path} must be a map of names to encrypted values")
        return {str(name): str(value) for name, value in content.items()}

    def _write(self, values: Mapping[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=FILE_NAME)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(dict(values), file, default_flow_style=False)
        os.replace(draft, self._path)


class StoredSecrets:
    """Configured secrets first, then those of the file; each new value is masked from then on."""

    def __init__(self, configured: Secrets, file: SecretFile, mask: Mask) -> None:
        self._configured = configured
        self._file = file
        self._mask = mask
        self._version: tuple[int, int] | None = None
        self._values: Mapping[str, str] = {}
        self._look()

    def get(self, namespace: str, name: str) -> str:
        """Return a value. Raises NotFound."""
        try:
            return self._configured.get(namespace, name)
        except NotFound:
            self._look()
            if (value := self._values.get(name.upper())) is None:
                raise
            return value

    def names(self) -> list[str]:
        self._look()
        return sorted({*self._configured.names(), *self._values})

    def _look(self) -> None:
        version = self._file.version
        if version == self._version:
            return
        self._values = self._file.read() if version is not None else {}
        self._version = version
        for value in self._values.values():
            self._mask.add(value)
