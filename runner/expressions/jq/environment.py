"""What a running program sees: variables, functions, and the code of arguments.

Results travel as pairs (path, value). The path is a tuple of keys while a path expression is
evaluated (`path(f)`, `f |= g`, `del(f)`), and None otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.data import JqError

Path = tuple[Any, ...] | None


Pair = tuple[Path, Any]


Run = Callable[["Environment", Path, Any], Iterator[Pair]]


NOW = "the clock"


class Break(Exception):
    """Leaves the label of that identity."""

    def __init__(self, target: object) -> None:
        super().__init__()
        self.target = target


class Environment:
    """Variables (`$x`) and functions (`name/arity`) in sight; the innermost first."""

    __slots__ = ("budget", "name", "parent", "value")

    def __init__(
        self, parent: Environment | None, name: str | None, value: Any, budget: Budget
    ) -> None:
        self.parent = parent
        self.name = name
        self.value = value
        self.budget = budget

    def bind(self, name: str, value: Any) -> Environment:
        """The environment with one more name."""
        return Environment(self, name, value, self.budget)

    def find(self, name: str) -> Any:
        """What the name stands for, `None` if nothing does."""
        scope: Environment | None = self
        while scope is not None:
            if scope.name == name:
                return scope
            scope = scope.parent
        return None


def clock_of(env: Environment) -> Callable[[], datetime]:
    """The clock that was handed to the program."""
    clock: Callable[[], datetime] = env.find(NOW).value
    return clock


class Function:
    """A `def` with the environment in which it was written."""

    __slots__ = ("body", "environment", "parameters")

    def __init__(self, parameters: tuple[str, ...], body: Run, environment: Environment) -> None:
        self.parameters = parameters
        self.body = body
        self.environment = environment


class Closure:
    """An argument: code with the environment of the call."""

    __slots__ = ("environment", "run")

    def __init__(self, run: Run, environment: Environment) -> None:
        self.run = run
        self.environment = environment

    def __call__(self, path: Path, value: Any) -> Iterator[Pair]:
        return self.run(self.environment, path, value)

    def values(self, value: Any) -> Iterator[Any]:
        """The results without paths."""
        for _, result in self.run(self.environment, None, value):
            yield result

    def first(self, value: Any) -> Any:
        """The first result, null if there is none."""
        return next(self.values(value), None)


def invalid_path(value: Any) -> JqError:
    """The error about an expression that is no path."""
    return JqError(f"Invalid path expression with result {data.to_json(value)[:40]}")
