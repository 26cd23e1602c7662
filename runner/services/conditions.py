"""Whether the conditions of a trigger hold; listeners ask the same."""

from runner.runtime.conditions import NO_FACTS, Asked, asked, hold

__all__ = ["NO_FACTS", "Asked", "asked", "hold"]
