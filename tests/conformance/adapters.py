"""Schedule and condition cases, asked of this process."""

from __future__ import annotations

from typing import Any


def adapter(case: dict[str, Any]) -> dict[str, Any]:
    """Return what the case's `expect` asks for (HARNESS.md, Adapters)."""
    raise NotImplementedError(f"no answer yet for {case['kind']} cases")
