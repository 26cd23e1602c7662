"""All filters; importing this registers them."""

from . import collections, dates, formats, numbers, text

__all__ = ["collections", "dates", "formats", "numbers", "text"]
