"""The contract of task runners.

Order of calls: `run` once per attempt, from any thread; `stop` may be called from another thread at
any time, also before and after `run`, and more than once. `run` returns only when nothing of the
command is left running (no process of it, container gone or ended), also when stopped or when it
raises. `runner.taskrunners.leftovers.cleanup` removes what a dead predecessor left behind, told by
its marker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from runner.errors import HeadraceError

LineSink = Callable[[str, bool], None]
"""Called for each output line: the text without line end, and whether it came from stderr."""

TASK_RUN_LABEL = "headrace.task-run"
ATTEMPT_LABEL = "headrace.attempt"
KEEP_LABEL = "headrace.keep"
"""Labels that tell whose a container is: a runner finds again by them what it started. One with the
last is to outlive its attempt."""


CACHE_FOLDER = "/var/cache/headrace"
"""Where a container finds packages that were fetched before; processes have their own caches."""

CACHE_LABEL = "headrace.cache"
"""Label of the volumes with packages, for who wants to remove them."""


_MAX_TEXT_BYTES = 128 * 1024  # of one argument or variable (execve(2): MAX_ARG_STRLEN)


class CannotRun(HeadraceError):
    """The command could not be started; the message says what to do about it."""

    code = "cannot_run"


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    *argv* as the program gets it; *env* is complete for containers, and on top of the allowed
    worker environment for processes; *working_dir* is the local folder with the input files;
    *outputs*: whether files made in it must be there after the run (always true for processes).
    *cache* names a volume for packages that containers of the same image share at `CACHE_FOLDER`.
    """

    argv: Sequence[str]
    working_dir: Path
    env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # of the attempt, to find it again
    timeout: timedelta | None = None
    outputs: bool = True
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended. *exit_code* None: killed before it had one. *stopped*: ended by `stop` or the
    command's timeout, not by itself. *details* go to output ``taskRunner``. *reason*: why it failed
    and what to do about it, where the runner knows."""

    exit_code: int | None
    stopped: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None


class TaskRunner(Protocol):
    """Runs one command somewhere."""

    def run(self, command: Command, on_line: LineSink, marker: Callable[[str], None]) -> Ended:
        """Run to the end, passing output lines as they come.

        *marker* is called, with a text for `cleanup`, before anything is started. Lines of one
        stream come in order and from one thread; one longer than `lines.MAX_LINE_BYTES` in pieces.

        Raises:
            CannotRun: it could not be started (no image, no engine, no such program), with the fix.
        """

    def stop(self) -> None:
        """End the command: gracefully if the runner says so, else at once."""

    def workdir(self, local: Path) -> str:
        """The path of the working directory as the command sees it."""


def check_texts(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Refuse what no process can be given. Raises CannotRun."""
    for what, texts in (("the command", argv), ("an environment variable", [*env, *env.values()])):
        if any("\0" in text for text in texts):
            raise CannotRun(f"{what} holds the character NUL, which no process can be given")
    if wrong := next((name for name in env if not name or "=" in name), None):
        raise CannotRun(f"{wrong!r} is no name of an environment variable")
    for name, value in env.items():
        if len(name) + len(value.encode("utf-8", "replace")) + 2 > _MAX_TEXT_BYTES:
            raise CannotRun(
                f"the environment variable {name} is longer than a process can be given "
                f"({_MAX_TEXT_BYTES} bytes): put it into a file, `inputFiles` takes it"
            )
