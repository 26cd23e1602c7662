"""Files that are kept in the database: what storage and store both speak of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the database: *content* names its chunks."""

    path: str
    content: str
    size: int
    modified_at: datetime
