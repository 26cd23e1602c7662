"""The key-value store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue

from runner import durations
from runner.errors import Expired, NotFound, Refused
from runner.model.flow import TaskKind
from runner.plugin import Read, RunContext, Task, TaskError

Kind = Literal["STRING", "NUMBER", "BOOLEAN", "DATETIME", "DATE", "DURATION", "JSON"]


class Set(Task):
    """Store a value under a key.

    Example:
        - id: remember
          type: io.kestra.plugin.core.kv.Set
          key: last_run
          value: "{{ execution.startDate }}"
          ttl: P7D
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.kv.Set"] = "io.kestra.plugin.core.kv.Set"
    key: str = Field(description="letters, digits, dots, dashes and underscores")
    value: Annotated[Any, Read.TYPED] = Field(
        description="the value; a lone expression keeps its type"
    )
    namespace: str | None = Field(default=None, description="default: the flow's")
    kv_description: str | None = Field(default=None, description="shown beside the key")
    overwrite: bool = Field(default=True, description="false: fail if the key exists")
    ttl: Annotated[timedelta, BeforeValidator(durations.parse)] | None = Field(
        default=None, description="how long the value lives"
    )
    kv_type: Kind | None = Field(default=None, description="what a text is converted to")

    def run(self, ctx: RunContext) -> None:
        namespace = self.namespace or ctx.identity.namespace
        try:
            ctx.kv.set(
                namespace,
                self.key,
                converted(self.value, self.kv_type),
                kind=self.kv_type,
                description=self.kv_description,
                ttl=self.ttl,
                overwrite=self.overwrite,
            )
        except Refused as exc:
            raise TaskError(
                f"Cannot set value for key '{self.key}'. "
                "Key already exists and `overwrite` is set to `false`."
            ) from exc


class Get(Task):
    """Read the value of a key; below its own namespace, its parents are searched too.

    Example:
        - id: recall
          type: io.kestra.plugin.core.kv.Get
          key: last_run
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.kv.Get"] = "io.kestra.plugin.core.kv.Get"
    key: str = Field(description="the key")
    namespace: str | None = Field(default=None, description="default: the flow's")
    error_on_missing: bool = Field(default=False, description="fail if there is no such key")

    class Outputs(Task.Outputs):
        value: JsonValue = Field(
            default=None, description="the stored value; null if there is none"
        )

    def run(self, ctx: RunContext) -> Outputs:
        namespace = self.namespace or ctx.identity.namespace
        try:
            return self.Outputs(value=ctx.kv.get(namespace, self.key))
        except Expired as exc:
            raise TaskError(exc.message) from exc
        except NotFound as exc:
            return self._missing(namespace, exc)

    def _missing(self, namespace: str, exc: NotFound) -> Outputs:
        if self.error_on_missing:
            raise TaskError(
                f"No value found for key '{self.key}' in namespace '{namespace}' "
                "and `errorOnMissing` is set to true"
            ) from exc
        return self.Outputs(value=None)


def converted(value: Any, kind: Kind | None) -> Any:
    """Return *value* as plain data of *kind*: a text is read as that, anything else stays.

    Raises:
        TaskError: the text cannot be read so.
    """
    if kind == "STRING" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind is None or not isinstance(value, str):
        return value
    try:
        return _READERS[kind](value)
    except ValueError as exc:
        raise TaskError(f"'{value}' is no {kind}: {exc}") from exc


def _number(text: str) -> int | float:
    number = json.loads(text)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError("write it like 5 or 1.5")
    return number


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("it has no time zone")
    return text


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _duration(text: str) -> str:
    return durations.format(durations.parse(text))


_READERS: Mapping[str, Callable[[str], Any]] = {
    "STRING": str,
    "NUMBER": _number,
    "BOOLEAN": lambda text: text.lower() == "true",
    "DATETIME": _moment,
    "DATE": _date,
    "DURATION": _duration,
    "JSON": json.loads,
}
