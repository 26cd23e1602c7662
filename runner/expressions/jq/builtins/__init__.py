"""The functions that jq offers; importing this registers them."""

from . import anything, flow, lists, mathematics, patterns, texts
from .formats import formatter
from .prelude import find

__all__ = ["anything", "find", "flow", "formatter", "lists", "mathematics", "patterns", "texts"]
