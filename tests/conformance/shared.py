"""Where Kestra's cases and the corpus of real flows are, if they are there."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared"


def shared(*parts: str) -> Path:
    """Return a path in the shared folder; the test is skipped, and says so, if it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is absent: nothing was checked against it")
    return path
