"""All filters; importing this registers them."""

from . import collections, numbers, text

__all__ = ["collections", "numbers", "text"]
