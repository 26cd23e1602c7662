"""Whose attempt it is."""

from __future__ import annotations

from dataclasses import dataclass

from runner.clock import EPOCH
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Task
from runner.model.logs import Level, LogLine
from runner.plugin import Identity


@dataclass(frozen=True, slots=True)
class Subject:
    """An attempt's execution, task run and task; *attempt* counts from 0."""

    execution: Execution
    run: TaskRun
    task: Task
    attempt: int

    def identity(self) -> Identity:
        """Return what the task may know of it."""
        return Identity(
            execution_id=self.execution.id,
            task_run_id=self.run.id,
            task_id=self.task.id,
            task_type=self.task.type,
            namespace=self.execution.namespace,
            flow_id=self.execution.flow_id,
            revision=self.execution.revision,
            attempt=self.attempt,
            value=self.run.value,
            source=self.execution.source,
            commit=self.execution.commit,
        )

    def line(self, number: int = 0) -> LogLine:
        """Return an empty log line of this attempt, to be filled."""
        return LogLine(
            self.execution.namespace,
            self.execution.flow_id,
            EPOCH,
            Level.INFO,
            "",
            number,
            self.execution.id,
            self.task.id,
            self.run.id,
            self.attempt,
        )
