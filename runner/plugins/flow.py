"""Properties of the tasks that steer others; `runner.engine.flowables` does their work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from runner import durations
from runner.model.flow import TaskKind
from runner.model.logs import Level
from runner.plugin import Fixed, Read, RunContext, Task

_OLD = "io.kestra.core.tasks.flows."
_ENDS = ("errors", "finally")


class Flowable(Task):
    """Base of the tasks that the engine itself works on.

    *needs*: of each group of lists one must have a task, else the message is shown. *wraps_tasks*:
    the items of ``tasks`` are ``{task, dependsOn}``. *input_lists*: properties that hold inputs.
    """

    kind = TaskKind.FLOWABLE
    needs: ClassVar[tuple[tuple[tuple[str, ...], str], ...]] = ()
    wraps_tasks: ClassVar[bool] = False
    input_lists: ClassVar[tuple[str, ...]] = ()
    has_timeout: ClassVar[bool] = False

    class Outputs(Task.Outputs):
        """No outputs."""


_TASKS = ((("tasks",), "The 'tasks' property cannot be empty"),)
_ANY_TASKS = ((("tasks",), "tasks must not be empty"),)


class Sequential(Flowable):
    """Run tasks one after another.

    Example:
        - id: steps
          type: io.kestra.plugin.core.flow.Sequential
          tasks:
            - id: hello
              type: io.kestra.plugin.core.log.Log
              message: Hello
    """

    aliases = (_OLD + "Sequential",)
    lists = ("tasks", *_ENDS)
    needs = _TASKS

    type: Literal["io.kestra.plugin.core.flow.Sequential"] = "io.kestra.plugin.core.flow.Sequential"


class Parallel(Flowable):
    """Run tasks at the same time.

    Example:
        - id: both
          type: io.kestra.plugin.core.flow.Parallel
          concurrent: 2
          tasks:
            - id: left
              type: io.kestra.plugin.core.log.Log
              message: Left
            - id: right
              type: io.kestra.plugin.core.log.Log
              message: Right
    """

    aliases = (_OLD + "Parallel",)
    lists = ("tasks", *_ENDS)
    needs = _ANY_TASKS

    type: Literal["io.kestra.plugin.core.flow.Parallel"] = "io.kestra.plugin.core.flow.Parallel"
    concurrent: int = Field(default=0, ge=0, description="how many at a time; 0: all")


class Dag(Flowable):
    """Run tasks as soon as those that they depend on have ended.

    Example:
        - id: graph
          type: io.kestra.plugin.core.flow.Dag
          tasks:
            - task:
                id: first
                type: io.kestra.plugin.core.log.Log
                message: First
            - task:
                id: second
                type: io.kestra.plugin.core.log.Log
                message: Second
              dependsOn: [first]
    """

    aliases = (_OLD + "Dag",)
    lists = ("tasks", *_ENDS)
    needs = _ANY_TASKS
    wraps_tasks = True

    type: Literal["io.kestra.plugin.core.flow.Dag"] = "io.kestra.plugin.core.flow.Dag"
    concurrent: int = Field(default=0, ge=0, description="how many at a time; 0: all")


class AllowFailure(Flowable):
    """Go on after a failure of the tasks inside.

    Example:
        - id: careless
          type: io.kestra.plugin.core.flow.AllowFailure
          tasks:
            - id: broken
              type: io.kestra.plugin.core.execution.Fail
    """

    aliases = (_OLD + "AllowFailure",)
    lists = ("tasks", *_ENDS)
    needs = _TASKS

    type: Literal["io.kestra.plugin.core.flow.AllowFailure"] = (
        "io.kestra.plugin.core.flow.AllowFailure"
    )


class If(Flowable):
    """Run one of two lists of tasks.

    Example:
        - id: large
          type: io.kestra.plugin.core.flow.If
          condition: "{{ inputs.amount > 100 }}"
          then:
            - id: warn
              type: io.kestra.plugin.core.log.Log
              message: This is much
    """

    aliases = (_OLD + "If",)
    lists = ("then", "else", *_ENDS)
    needs = ((("then",), "then must not be empty"),)

    type: Literal["io.kestra.plugin.core.flow.If"] = "io.kestra.plugin.core.flow.If"
    condition: Annotated[str | None, Fixed()] = Field(
        default=None, description="without it, it does not hold"
    )

    class Outputs(Task.Outputs):
        evaluation_result: bool = Field(description="whether the condition holds")


class Switch(Flowable):
    """Run the list of tasks that belongs to a value.

    Example:
        - id: by_country
          type: io.kestra.plugin.core.flow.Switch
          value: "{{ inputs.country }}"
          cases:
            FR:
              - id: bonjour
                type: io.kestra.plugin.core.log.Log
                message: Bonjour
    """

    aliases = (_OLD + "Switch",)
    lists = ("cases", "defaults", *_ENDS)
    needs = (
        (
            ("cases", "defaults"),
            "No task defined, neither cases or default have any tasks",
        ),
    )

    type: Literal["io.kestra.plugin.core.flow.Switch"] = "io.kestra.plugin.core.flow.Switch"
    value: str = Field(description="the key of the list to run")

    class Outputs(Task.Outputs):
        value: str = Field(description="the rendered value")
        defaults: bool = Field(description="whether no case fitted")


class ForEach(Flowable):
    """Run tasks once for each value.

    Example:
        - id: each
          type: io.kestra.plugin.core.flow.ForEach
          values: [1, 2, 3]
          concurrencyLimit: 2
          tasks:
            - id: show
              type: io.kestra.plugin.core.log.Log
              message: "{{ taskrun.value }}"
    """

    lists = ("tasks", *_ENDS)
    needs = _TASKS

    type: Literal["io.kestra.plugin.core.flow.ForEach"] = "io.kestra.plugin.core.flow.ForEach"
    values: str | list[JsonValue] = Field(description="a list, or a text that gives one")
    concurrency_limit: Annotated[int, Read.STATIC] = Field(
        default=1, ge=0, description="how many values at a time; 0: all"
    )


class EachSequential(Flowable):
    """Run tasks once for each value, one after another (deprecated: use ForEach).

    Example:
        - id: each
          type: io.kestra.plugin.core.flow.EachSequential
          value: '["a", "b"]'
          tasks:
            - id: show
              type: io.kestra.plugin.core.log.Log
              message: "{{ taskrun.value }}"
    """

    superseded = "EachSequential is deprecated: write flow.ForEach with values"

    aliases = (_OLD + "EachSequential",)
    lists = ("tasks", *_ENDS)
    needs = _TASKS

    type: Literal["io.kestra.plugin.core.flow.EachSequential"] = (
        "io.kestra.plugin.core.flow.EachSequential"
    )
    value: str | list[JsonValue] = Field(description="a list, or a text that gives one")


class EachParallel(Flowable):
    """Run tasks once for each value, at the same time (deprecated: use ForEach).

    Example:
        - id: each
          type: io.kestra.plugin.core.flow.EachParallel
          value: '["a", "b"]'
          tasks:
            - id: show
              type: io.kestra.plugin.core.log.Log
              message: "{{ taskrun.value }}"
    """

    superseded = "EachParallel is deprecated: write flow.ForEach with values and concurrencyLimit"

    aliases = (_OLD + "EachParallel",)
    lists = ("tasks", *_ENDS)
    needs = _ANY_TASKS

    type: Literal["io.kestra.plugin.core.flow.EachParallel"] = (
        "io.kestra.plugin.core.flow.EachParallel"
    )
    value: str | list[JsonValue] = Field(description="a list, or a text that gives one")
    concurrent: int = Field(default=0, ge=0, description="how many at a time; 0: all")


class CheckFrequency(BaseModel):
    """How often a LoopUntil looks, and when it gives up."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    interval: timedelta = Field(default=timedelta(minutes=1), description="between two rounds")
    max_iterations: int | None = Field(default=None, description="how many rounds at most")
    max_duration: timedelta | None = Field(default=None, description="how long at most")


class LoopUntil(Flowable):
    """Run tasks again and again until a condition holds.

    Example:
        - id: wait_for_report
          type: io.kestra.plugin.core.flow.LoopUntil
          condition: "{{ outputs.ask.code == 200 }}"
          checkFrequency:
            interval: PT10S
            maxIterations: 30
          tasks:
            - id: ask
              type: io.kestra.plugin.core.http.Request
              uri: https://example.com/report
              options:
                allowFailed: true
    """

    aliases = ("io.kestra.plugin.core.flow.WaitFor",)
    lists = ("tasks", *_ENDS)
    needs = _TASKS

    type: Literal["io.kestra.plugin.core.flow.LoopUntil"] = "io.kestra.plugin.core.flow.LoopUntil"
    condition: str = Field(description="looked at after each round")
    fail_on_max_reached: bool = Field(
        default=False, description="fail when a maximum is reached; else end as the tasks did"
    )
    check_frequency: Annotated[CheckFrequency, Fixed()] = Field(
        default=CheckFrequency(), description="how often, and when to give up"
    )

    class Outputs(Task.Outputs):
        iteration_count: int = Field(description="how many rounds there were")


class Subflow(Flowable):
    """Start an execution of another flow, and wait for it.

    Example:
        - id: child
          type: io.kestra.plugin.core.flow.Subflow
          namespace: company.team
          flowId: other
          inputs:
            day: "{{ inputs.day }}"
    """

    aliases = (_OLD + "Subflow", _OLD + "Flow")
    deprecated: ClassVar[Mapping[str, str]] = {
        "outputs": "declare outputs in the other flow instead of outputs here"
    }

    type: Literal["io.kestra.plugin.core.flow.Subflow"] = "io.kestra.plugin.core.flow.Subflow"
    namespace: Annotated[str, Fixed()] = Field(min_length=1, description="namespace of the flow")
    flow_id: Annotated[str, Fixed()] = Field(description="id of the flow")
    revision: Annotated[int | None, Read.STATIC] = Field(
        default=None, ge=1, description="default: the active one"
    )
    inputs: Annotated[dict[str, Any], Read.ASKED, Fixed()] = Field(
        default={}, description="its inputs"
    )
    labels: Annotated[dict[str, Any] | list[Any] | None, Read.ASKED, Fixed()] = Field(
        default=None, description="a map, or a list of {key, value}"
    )
    wait: Annotated[bool, Read.STATIC] = Field(default=True, description="for its end")
    transmit_failed: Annotated[bool, Read.STATIC] = Field(
        default=True, description="whether its failure is this task's"
    )
    inherit_labels: bool = Field(default=False, description="give it this execution's labels")
    schedule_date: datetime | date | None = Field(default=None, description="not to start before")
    restart_behavior: Annotated[Literal["RETRY_FAILED", "NEW_EXECUTION"], Read.STATIC] = Field(
        default="RETRY_FAILED", description="what a restart does when the other one has failed"
    )
    outputs: Annotated[dict[str, Any] | None, Read.ASKED, Fixed()] = Field(
        default=None, description="rendered in the other execution, if its flow has no outputs"
    )

    class Outputs(Task.Outputs):
        execution_id: str = Field(description="id of the execution")
        state: str | None = Field(default=None, description="its state, if it was waited for")
        outputs: Mapping[str, Any] = Field(default={}, description="its flow outputs")


class Pause(Flowable):
    """Stand still until someone resumes the execution, or a time is over.

    Example:
        - id: approve
          type: io.kestra.plugin.core.flow.Pause
          pauseDuration: P1D
          behavior: FAIL
    """

    aliases = (_OLD + "Pause",)
    lists = ("onPause", "tasks", *_ENDS)
    input_lists = ("onResume",)
    has_timeout = True
    deprecated: ClassVar[Mapping[str, str]] = {
        "delay": "write pauseDuration instead of delay",
        "tasks": "put the tasks behind the Pause",
    }

    type: Literal["io.kestra.plugin.core.flow.Pause"] = "io.kestra.plugin.core.flow.Pause"
    pause_duration: timedelta | None = Field(default=None, description="default: until resumed")
    delay: timedelta | None = Field(default=None, description="use pauseDuration")
    behavior: Literal["RESUME", "WARN", "CANCEL", "FAIL"] = Field(
        default="RESUME", description="what happens when the time is over"
    )
    on_resume: Annotated[list[dict[str, Any]], Read.STATIC] = Field(
        default=[], description="inputs to ask for when resuming"
    )

    class Outputs(Task.Outputs):
        on_resume: Mapping[str, Any] | None = Field(default=None, description="what was entered")
        resumed: Mapping[str, Any] | None = Field(default=None, description="by whom, when, to")


class Sleep(Flowable):
    """Wait.

    Example:
        - id: wait
          type: io.kestra.plugin.core.flow.Sleep
          duration: PT5S
    """

    has_timeout = True

    type: Literal["io.kestra.plugin.core.flow.Sleep"] = "io.kestra.plugin.core.flow.Sleep"
    duration: timedelta = Field(description="how long")

    def run(self, ctx: RunContext) -> None:
        """Wait on a worker: inside a WorkingDirectory."""
        ctx.log.write(Level.INFO, f"Waiting for {durations.format(self.duration)}")
        ctx.sleep(self.duration)
