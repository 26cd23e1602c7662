"""State in SQLite or PostgreSQL: `open_store`, `migrate`, `check_version`. See `runner.store.base`."""

from __future__ import annotations

from runner.store.opening import check_version, migrate, open_store

__all__ = ["check_version", "migrate", "open_store"]
