"""Values that a flow remembers from run to run (deprecated: use the key-value store)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from runner.errors import NotFound
from runner.ids import slug
from runner.model.flow import TaskKind
from runner.plugin import Read, RunContext, Task, TaskError
from runner.plugins._merging import merged

_OLD = "io.kestra.core.tasks.states."


class _State(Task):
    """What the three types share: which state is meant."""

    kind = TaskKind.INLINE

    name: str = Field(default="default", description="name of the state")
    namespace: bool = Field(default=False, description="true: shared by the flows of the namespace")
    taskrun_value: bool = Field(default=True, description="in loops: one for each value")

    def key(self, ctx: RunContext) -> str:
        """Return the key under which it is stored, for `kv()` the same as Kestra's."""
        flow = [] if self.namespace else [slug(ctx.identity.flow_id)]
        parts = [*flow, "states", "tasks-states", self.name]
        value = ctx.identity.value
        if self.taskrun_value and value is not None:
            parts.append(hashlib.sha256(value.encode()).hexdigest()[:16])
        return "_".join(parts)

    def stored(self, ctx: RunContext) -> dict[str, Any] | None:
        """Return the state, None if there is none."""
        try:
            found: dict[str, Any] = ctx.kv.get(ctx.identity.namespace, self.key(ctx))
        except NotFound:
            return None
        return found

    def missing(self) -> TaskError:
        """Return the failure of a state that is not there."""
        return TaskError(f"there is no state '{self.name}'")


class Set(_State):
    """Merge values into a state (deprecated: use io.kestra.plugin.core.kv.Set).

    Example:
        - id: remember
          type: io.kestra.plugin.core.state.Set
          data:
            last: "{{ execution.startDate }}"
    """

    superseded = "state.Set is deprecated: write kv.Set"

    aliases: ClassVar = (_OLD + "Set",)

    type: Literal["io.kestra.plugin.core.state.Set"] = "io.kestra.plugin.core.state.Set"
    data: Annotated[dict[str, Any], Read.TYPED] = Field(default={}, description="what to merge")

    class Outputs(Task.Outputs):
        count: int = Field(description="values in the state")
        key: str = Field(description="where it is stored")

    def run(self, ctx: RunContext) -> Outputs:
        state = merged(self.stored(ctx) or {}, self.data)
        ctx.kv.set(ctx.identity.namespace, self.key(ctx), state, kind="JSON")
        return self.Outputs(count=len(state), key=self.key(ctx))


class Get(_State):
    """Read a state (deprecated: use io.kestra.plugin.core.kv.Get).

    Example:
        - id: recall
          type: io.kestra.plugin.core.state.Get
    """

    superseded = "state.Get is deprecated: write kv.Get"

    aliases: ClassVar = (_OLD + "Get",)

    type: Literal["io.kestra.plugin.core.state.Get"] = "io.kestra.plugin.core.state.Get"
    error_on_missing: bool = Field(default=False, description="fail if there is none")

    class Outputs(Task.Outputs):
        count: int = Field(description="values in the state")
        data: dict[str, JsonValue] = Field(description="the values")

    def run(self, ctx: RunContext) -> Outputs:
        state = self.stored(ctx)
        if state is None and self.error_on_missing:
            raise self.missing()
        return self.Outputs(count=len(state or {}), data=state or {})


class Delete(_State):
    """Remove a state (deprecated: use io.kestra.plugin.core.kv.Delete).

    Example:
        - id: forget
          type: io.kestra.plugin.core.state.Delete
    """

    superseded = "state.Delete is deprecated: write kv.Delete"

    aliases: ClassVar = (_OLD + "Delete",)

    type: Literal["io.kestra.plugin.core.state.Delete"] = "io.kestra.plugin.core.state.Delete"
    error_on_missing: bool = Field(default=False, description="fail if there is none")

    class Outputs(Task.Outputs):
        deleted: bool = Field(description="whether there was one")

    def run(self, ctx: RunContext) -> Outputs:
        deleted = ctx.kv.delete(ctx.identity.namespace, self.key(ctx))
        if self.error_on_missing and not deleted:
            raise self.missing()
        return self.Outputs(deleted=deleted)
