"""All functions; importing this registers them."""

from . import rendering

__all__ = ["rendering"]
