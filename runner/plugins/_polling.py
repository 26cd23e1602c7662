"""What all script triggers share: a script is run again and again, and its end judged."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, JsonValue

from runner.errors import NotFound
from runner.plugin import PollingTrigger, Read, RunContext, TaskError
from runner.plugins._script import ScriptTask

_EXIT = re.compile(r"\s*exit\s+(\d+)\s*")


class Judged(BaseModel):
    """What expressions see as ``trigger``."""

    model_config = PollingTrigger.model_config

    timestamp: str
    condition: str
    exit_code: int
    vars: dict[str, JsonValue]


class _Polling(PollingTrigger):
    """Base of both kinds."""

    script_class: ClassVar[type[ScriptTask]]

    container_image: str | None = Field(default=None, description="image; default: the language's")
    exit_condition: str = Field(
        description="'exit N', or a regular expression for the variables given"
    )
    edge: bool = Field(
        default=True, description="start when the condition becomes true, not while it is"
    )

    def given(self) -> dict[str, Any]:
        """Return the properties of the script to run."""
        own = set(type(self).model_fields) - {"type", "interval", "exit_condition", "edge"}
        return {name: getattr(self, name) for name in own}

    def evaluate(self, ctx: RunContext) -> Judged | None:
        outputs = self._ended(ctx)
        holds = is_met(self.exit_condition, outputs.exit_code, outputs.vars)
        if not self._is_news(ctx, holds):
            return None
        return Judged(
            timestamp=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            condition=self.exit_condition,
            exit_code=outputs.exit_code,
            vars=outputs.vars,
        )

    def _ended(self, ctx: RunContext) -> ScriptTask.Outputs:
        try:
            return self.script_class(**self.given()).run(ctx)
        except TaskError as exc:
            if isinstance(exc.outputs, ScriptTask.Outputs):
                return exc.outputs
            raise

    def _is_news(self, ctx: RunContext, holds: bool) -> bool:
        """Say whether to start; workers share what was last seen by a key of the namespace."""
        if not self.edge:
            return holds
        who = ctx.identity
        key = f"trigger_{who.flow_id}_{who.task_id}"
        try:
            before = ctx.kv.get(who.namespace, key)
        except NotFound:
            before = False
        if holds is not before:
            ctx.kv.set(who.namespace, key, holds, description="what a trigger has last seen")
        return holds and not before


class ScriptTrigger(_Polling):
    """Base of the ``ScriptTrigger`` types."""

    script: Annotated[str, Read.ASKED] = Field(description="the program")


class CommandsTrigger(_Polling):
    """Base of the ``CommandsTrigger`` types."""

    commands: Annotated[list[str] | str, Read.ASKED] = Field(
        description="commands, run one after another in one shell"
    )


def is_met(condition: str, exit_code: int, given: dict[str, JsonValue]) -> bool:
    """Say whether a condition holds of a script's end."""
    if match := _EXIT.fullmatch(condition):
        return exit_code == int(match[1])
    text = json.dumps(given, ensure_ascii=False)
    try:
        return re.search(condition, text) is not None
    except re.error:
        return condition in text
