"""The key-value store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, model_validator

from runner import durations
from runner.errors import Expired, NotFound, Refused
from runner.model.flow import TaskKind
from runner.model.logs import Level
from runner.plugin import Read, RunContext, Task, TaskError
from runner.plugins._merging import merged, with_path
from runner.plugins._purging import OfNamespaces, check_one_of_two

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
    value: Annotated[object, Read.TYPED] = Field(
        description="the value; a lone expression keeps its type, null is one too"
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
            if self.error_on_missing:
                raise _missing(self.key, namespace) from exc
            return self.Outputs(value=None)


class Put(Task):
    """Merge a value into the one that is stored; its description and life stay.

    A map is merged at any depth, lists are joined; a list of {key, value} sets dotted paths in the
    stored map; anything else replaces it.

    Example:
        - id: note
          type: io.kestra.plugin.core.kv.Put
          key: counters
          value:
            imports: "{{ outputs.load.size }}"
    """

    type: Literal["io.kestra.plugin.core.kv.Put"] = "io.kestra.plugin.core.kv.Put"
    key: str = Field(description="letters, digits, dots, dashes and underscores")
    value: Annotated[Any, Read.TYPED] = Field(description="what to merge")
    namespace: str | None = Field(default=None, description="default: the flow's")
    error_on_missing: bool = Field(default=False, description="fail if there is no such key")

    def run(self, ctx: RunContext) -> None:
        namespace = self.namespace or ctx.identity.namespace
        try:
            before = ctx.kv.get(namespace, self.key)
        except NotFound as exc:
            if self.error_on_missing and not isinstance(exc, Expired):
                raise _missing(self.key, namespace) from exc
            ctx.kv.set(namespace, self.key, put_over(None, self.value))
            return
        try:
            ctx.kv.replace(namespace, self.key, put_over(before, self.value))
        except NotFound:  # it is a parent's: from now on this namespace has its own
            ctx.kv.set(namespace, self.key, put_over(before, self.value))


class Delete(Task):
    """Remove a key.

    Example:
        - id: forget
          type: io.kestra.plugin.core.kv.Delete
          key: last_run
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.kv.Delete"] = "io.kestra.plugin.core.kv.Delete"
    key: str = Field(description="the key")
    namespace: str | None = Field(default=None, description="default: the flow's")
    error_on_missing: bool = Field(default=False, description="fail if there is no such key")

    class Outputs(Task.Outputs):
        deleted: bool = Field(description="whether there was one")

    def run(self, ctx: RunContext) -> Outputs:
        namespace = self.namespace or ctx.identity.namespace
        deleted = ctx.kv.delete(namespace, self.key)
        if self.error_on_missing and not deleted:
            raise _missing(self.key, namespace)
        return self.Outputs(deleted=deleted)


class GetKeys(Task):
    """List the keys of a namespace that have not expired.

    Example:
        - id: keys
          type: io.kestra.plugin.core.kv.GetKeys
          prefix: last_
    """

    type: Literal["io.kestra.plugin.core.kv.GetKeys"] = "io.kestra.plugin.core.kv.GetKeys"
    prefix: str | None = Field(default=None, description="how the keys begin")
    namespace: str | None = Field(default=None, description="default: the flow's")

    class Outputs(Task.Outputs):
        keys: list[str] = Field(description="the keys, in order")

    def run(self, ctx: RunContext) -> Outputs:
        namespace = self.namespace or ctx.identity.namespace
        return self.Outputs(keys=list(ctx.kv.keys(namespace, prefix=self.prefix or "")))


class PurgeBehavior(BaseModel):
    """Which versions of which keys are removed."""

    model_config = Task.model_config

    type: Literal["key", "version"] = Field(default="key", description="keys, or old versions")
    expired_only: bool = Field(default=True, description="key: only those whose life is over")
    before: str | None = Field(default=None, description="version: older than this date")
    keep_amount: int | None = Field(default=None, description="version: how many stay")

    @model_validator(mode="after")
    def _one_of_two(self) -> PurgeBehavior:
        check_one_of_two(self.type, self.before, self.keep_amount)
        return self


class PurgeKV(OfNamespaces):
    """Remove keys, those that have expired if nothing else is said.

    Old versions of values are not kept here, so that ``type: version`` finds nothing to remove.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.kv.PurgeKV
          namespaces: [company.team]
          keyPattern: "tmp_*"
    """

    deprecated: ClassVar = {"expiredOnly": "'expiredOnly' is deprecated: use 'behavior'"}

    type: Literal["io.kestra.plugin.core.kv.PurgeKV"] = "io.kestra.plugin.core.kv.PurgeKV"
    key_pattern: str | None = Field(default=None, description="which keys, with * and ?")
    behavior: PurgeBehavior = Field(default=PurgeBehavior(), description="which of them")
    expired_only: bool | None = Field(default=None, description="use behavior")

    class Outputs(Task.Outputs):
        size: int = Field(description="how many were removed")

    def run(self, ctx: RunContext) -> Outputs:
        if self.behavior.type == "version":
            return self.Outputs(size=0)
        places = self.chosen(ctx.kv.namespaces())
        size = sum(self._purged(ctx, namespace) for namespace in places)
        ctx.log.write(Level.INFO, f"purged {size} keys in {len(places)} namespaces")
        return self.Outputs(size=size)

    def _purged(self, ctx: RunContext, namespace: str) -> int:
        only = self.behavior.expired_only if self.expired_only is None else self.expired_only
        keys = list(ctx.kv.keys(namespace, expired=True))
        keys += [] if only else ctx.kv.keys(namespace)
        wanted = [key for key in keys if fnmatchcase(key, self.key_pattern or "*")]
        return sum(ctx.kv.delete(namespace, key) for key in wanted)


def put_over(before: Any, value: Any) -> Any:
    """Return what is stored after a put."""
    if not isinstance(value, list):
        return merged(before, value) if isinstance(value, dict) else value
    entries = [each for each in value if isinstance(each, dict) and "value" in each]
    if len(entries) != len(value) or not entries:
        return value
    if len(entries) == 1 and "key" not in entries[0]:
        return entries[0]["value"]
    found = before
    for each in entries:
        if "key" not in each:
            raise TaskError("each entry of 'value' needs a key")
        found = with_path(found, str(each["key"]), each["value"])
    return found


def _missing(key: str, namespace: str) -> TaskError:
    return TaskError(
        f"No value found for key '{key}' in namespace '{namespace}' "
        "and `errorOnMissing` is set to true"
    )


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
