"""What only the web layer refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import HeadraceError, Unavailable


class Unauthorized(HeadraceError):
    """Credentials are missing or wrong."""

    code = "unauthorized"


class TooManyTries(HeadraceError):
    """Too many wrong passwords; wait a minute."""

    code = "too_many_tries"


class BadRequest(HeadraceError):
    """The request lacks something or cannot be read."""

    code = "bad_request"


class FilterInvalid(BadRequest):
    """A filter of the query is not valid."""

    code = "filter_invalid"


class BodyInvalid(HeadraceError):
    """The body of the request cannot be read."""

    code = "body_invalid"


class NotBuilt(HeadraceError):
    """This is not available yet."""

    code = "not_available_yet"


class TooBusy(Unavailable):
    """Too many streams are open; try again."""

    code = "too_busy"


class BulkInvalid(HeadraceError):
    """Some of the things named are not fit; nothing was done."""

    code = "bulk_invalid"

    def __init__(self, verb: str, invalids: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(f"invalid bulk {verb}")
        self.invalids = invalids
