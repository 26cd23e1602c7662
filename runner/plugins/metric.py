"""Metrics of one's own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from runner import durations
from runner.model.flow import TaskKind
from runner.plugin import RunContext, Task, TaskError


def _lower(value: Any) -> Any:
    return value.rpartition(".")[2].lower() if isinstance(value, str) else value


class Metric(BaseModel):
    """One metric to record."""

    model_config = Task.model_config

    type: Annotated[Literal["counter", "timer", "gauge"], BeforeValidator(_lower)] = Field(
        description="counter, timer or gauge"
    )
    name: str = Field(description="name")
    value: float | str = Field(description="a number; for a timer also a duration such as PT2S")
    description: str | None = Field(default=None, description="what it says")
    tags: dict[str, str] = Field(default={}, description="name to value")

    def number(self) -> float:
        """Return the value, of a timer in seconds. Raises TaskError: it is none."""
        try:
            return float(self.value)
        except ValueError as exc:
            if self.type == "timer":
                return durations.parse(str(self.value)).total_seconds()
            raise TaskError(f"the value of {self.name} is no number: {self.value!r}") from exc


class Publish(Task):
    """Record metrics.

    Example:
        - id: measured
          type: io.kestra.plugin.core.metric.Publish
          metrics:
            - type: counter
              name: products
              value: "{{ outputs.rows.size }}"
              tags: {shop: berlin}
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.metric.Publish"] = "io.kestra.plugin.core.metric.Publish"
    metrics: list[Metric] = Field(default=[], description="what to record")

    def run(self, ctx: RunContext) -> None:
        for metric in self.metrics:
            ctx.metric(metric.name, metric.type, metric.number(), metric.tags)
