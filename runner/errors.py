"""Every error of Headrace, in one tree.

HeadraceError
├── FlowInvalid          the flow is wrong (carries all problems)
├── InputInvalid         inputs of an execution are wrong
├── ExpressionError      an expression cannot be parsed or rendered (runner.expressions)
├── TaskError            the task failed (runner.plugin)
├── ArgumentInvalid      a value that was given makes no sense
├── NotFound             what was asked for does not exist
│   └── Expired          it was there, but its time is over
├── Refused              a rule forbids it in the present state (409)
├── Forbidden            whoever asks may not do it
├── TooLarge             a limit on size was passed
├── Unavailable          a neighbour (Redis, Docker, Git …) does not answer
├── SettingsInvalid      the configuration is wrong
└── Conflict             another process was faster; try again
"""

from __future__ import annotations

from typing import ClassVar


class HeadraceError(Exception):
    """Something went wrong in Headrace."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])

    @property
    def message(self) -> str:
        """The text for people."""
        return str(self.args[0])


class NotFound(HeadraceError):
    """There is no such thing."""

    code = "not_found"


class Expired(NotFound):
    """Its time is over."""

    code = "expired"


class ArgumentInvalid(HeadraceError):
    """A value that was given makes no sense."""

    code = "argument_invalid"


class Refused(HeadraceError):
    """The present state does not allow it."""

    code = "refused"


class Forbidden(HeadraceError):
    """A right is missing for this."""

    code = "forbidden"


class TooLarge(HeadraceError):
    """It is larger than the limit."""

    code = "too_large"


class Unavailable(HeadraceError):
    """A needed service does not answer."""

    code = "unavailable"


class SettingsInvalid(HeadraceError):
    """The configuration is wrong."""

    code = "settings_invalid"


class Conflict(HeadraceError):
    """Another process was faster; try again."""

    code = "conflict"


class InputInvalid(HeadraceError):
    """An input of the execution is missing or wrong."""

    code = "input_invalid"
