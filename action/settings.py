"""The Action's inputs, read once and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import ActionFailed

_LINE = re.compile(r"\s*([^:=\s][^:=]*?)\s*([:=])\s?(.*)")
_DEPLOYING = ("namespace", "to", "localPath", "namespacePath", "delete", "override")


@dataclass(frozen=True)
class Settings:
    """What the workflow says under `with:`; empty texts are None."""

    directory: Path
    server: str | None
    token: str | None
    user: str | None
    password: str | None
    tenant: str
    flow: tuple[str, str] | None
    """Namespace and id."""
    inputs: tuple[tuple[str, str | Path], ...]
    """A Path is a file to upload."""
    labels: tuple[tuple[str, str], ...]
    revision: str | None
    wait: bool
    headrace: str
    """The program that validates without a server."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read `INPUT_…` variables. Raises ActionFailed with the input's name."""

        def given(name: str) -> str | None:
            return environment.get(f"INPUT_{name.upper()}", "").strip() or None

        _refuse_deploying(given("resource"), [name for name in _DEPLOYING if given(name)])
        server = given("server")
        return cls(
            directory=Path(given("directory") or "."),
            server=server and _address(server),
            token=given("apiToken"),
            user=given("user"),
            password=given("password"),
            tenant=given("tenant") or "main",
            flow=_flow(given("flow")),
            inputs=tuple((key, _upload(value)) for key, value in _pairs("inputs", given("inputs"))),
            labels=tuple((key, str(value)) for key, value in _pairs("labels", given("labels"))),
            revision=given("revision"),
            wait=_boolean("wait", given("wait") or "true"),
            headrace=environment.get("HEADRACE", "headrace"),
        )


class _Line(str):
    """A value that came as a line, so that `@path` means a file."""


def _refuse_deploying(resource: str | None, given: list[str]) -> None:
    if resource not in (None, "flow"):
        raise ActionFailed(f"resource: {resource} is not available yet, only flow is")
    if given:
        names = ", ".join(given)
        raise ActionFailed(
            f"deploying ({names}) is not available yet: connect the repository as a source instead"
        )


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ActionFailed(f"server: {text} is no address, write https://HOST")
    return text.rstrip("/")


def _flow(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    namespace, dot, flow_id = text.rpartition(".")
    if not dot or not namespace or not flow_id:
        raise ActionFailed(f"flow: {text} is no namespace.id")
    return namespace, flow_id


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ActionFailed(f"{name}: {text} is neither true nor false")
    return text.lower() == "true"


def _pairs(name: str, text: str | None) -> list[tuple[str, str]]:
    """Read a JSON object, or lines of key=value or key:value."""
    if text is None:
        return []
    if text.startswith("{"):
        return _object(name, text)
    return [_pair(name, line) for line in text.splitlines() if line.strip()]


def _object(name: str, text: str) -> list[tuple[str, str]]:
    try:
        values = json.loads(text)
    except ValueError as exc:
        raise ActionFailed(f"{name}: this is no JSON object: {exc}") from exc
    return [
        (key, value if isinstance(value, str) else json.dumps(value))
        for key, value in values.items()
        if value is not None
    ]


def _pair(name: str, line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ActionFailed(f"{name}: {line!r} is no key=value")
    key, _, value = found.groups()
    return key, _Line(value)


def _upload(value: str) -> str | Path:
    if not isinstance(value, _Line) or not value.startswith("@"):
        return value
    path = Path(value[1:])
    if not path.is_file():
        raise ActionFailed(f"inputs: there is no file {path}")
    return path
