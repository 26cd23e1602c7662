"""State in SQLite or PostgreSQL. The contract is in `runner.store.base`."""

from __future__ import annotations

from runner.store.opening import check_version, is_current, migrate, open_store

__all__ = ["check_version", "is_current", "migrate", "open_store"]
