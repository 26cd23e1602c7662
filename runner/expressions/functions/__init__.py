"""All functions; importing this registers them."""

from . import calendar, crypto, general, outside, parsing, rendering, workflow

__all__ = ["calendar", "crypto", "general", "outside", "parsing", "rendering", "workflow"]
