"""What stands around an expression while it is evaluated."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .budget import Budget
from .context import Context, Settings, World
from .errors import UnknownAttribute

if TYPE_CHECKING:
    from .program import Program


class Frame:
    """The variables in sight, innermost scope last, and what the rendering may still cost."""

    __slots__ = ("_budget", "context", "held_chars", "program", "scopes", "sees_context")

    def __init__(
        self,
        context: Context,
        program: Program,
        *,
        scopes: list[dict[str, Any]] | None = None,
        sees_context: bool = True,
        budget: Budget | None = None,
    ) -> None:
        self.context = context
        self.program = program
        self.scopes = [{}] if scopes is None else scopes
        self.sees_context = sees_context
        self._budget = budget
        self.held_chars = 0

    @property
    def budget(self) -> Budget:
        """What is left; made when first needed, as most expressions cost nothing to speak of."""
        if self._budget is None:
            context = self.context
            self._budget = Budget(context.settings.limits, context.world.monotonic)
        return self._budget

    @property
    def world(self) -> World:
        """The impure functions."""
        return self.context.world

    @property
    def settings(self) -> Settings:
        """Zone, language and limits."""
        return self.context.settings

    def lookup(self, name: str) -> Any:
        """The variable's value.

        Raises:
            UnknownAttribute: no scope has it.
        """
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if self.sees_context:
            try:
                return self.context.variables[name]
            except KeyError:
                pass
        if name == "locale":
            return self.settings.locale
        raise UnknownAttribute(name, self.names())

    def assign(self, name: str, value: Any) -> None:
        """Change the variable where it is, or make it in the innermost scope."""
        for scope in reversed(self.scopes):
            if name in scope:
                scope[name] = value
                return
        if isinstance(value, str | list):
            self.budget.keep(value)
        is_outer = self.sees_context and name in self.context.variables
        self.scopes[0 if is_outer else -1][name] = value

    def variables(self) -> Mapping[str, Any]:
        """All variables in sight as one map."""
        mine = [scope for scope in reversed(self.scopes) if scope]
        if not mine and self.sees_context:
            return self.context.variables
        outer = [self.context.variables] if self.sees_context else []
        return ChainMap(*mine, *outer)  # type: ignore[arg-type]

    def names(self) -> list[str]:
        """The names in sight, for a suggestion."""
        return [str(name) for name in self.variables()]

    def inner(self, program: Program, *, scopes: list[dict[str, Any]], sees_context: bool) -> Frame:
        """A frame for a macro or a block, at this one's cost."""
        return Frame(
            self.context, program, scopes=scopes, sees_context=sees_context, budget=self.budget
        )


Evaluate = Callable[[Frame], Any]
