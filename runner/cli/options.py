"""Options and output that commands share."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from runner.errors import HeadraceError, Unavailable
from runner.settings import Settings, load

if TYPE_CHECKING:
    from runner.runtime import Runtime

P = ParamSpec("P")
R = TypeVar("R")

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of all state  [default: .headrace, or HEADRACE_HOME]",
)
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file  [default: headrace.yaml, if it is here]",
)
breakpoint_option = click.option(
    "--breakpoint",
    "breakpoints",
    multiple=True,
    metavar="TASK[.VALUE]",
    help="Stop before this task, or before it of one loop value. May be repeated.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def settings_of(home: Path | None, config: Path | None, **more: Any) -> Settings:
    """Return the settings with the command line on top."""
    return load(config, home=home, **more)


@contextmanager
def stored_runtime(home: Path | None, config: Path | None) -> Iterator[Runtime]:
    """Open what is stored, for commands that look at it.

    Raises:
        Unavailable: there is nothing below this home.
    """
    from runner import wiring

    settings = settings_of(home, config)
    if settings.is_sqlite:
        file = Path(wiring.database_url(settings).removeprefix("sqlite:///"))
        if not file.exists():
            raise Unavailable(
                f"there is no database {file}: start `headrace up`, "
                "or name the folder of its state with --home"
            )
    with wiring.open_runtime(settings) as runtime:
        yield runtime


def print_json(value: Any) -> None:
    """Print a value as JSON: indented for people, one line for pipes."""
    click.echo(
        json.dumps(
            value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False, default=str
        )
    )


def table(rows: Sequence[tuple[str, ...]], *header: str) -> str:
    """Return rows as aligned columns under a header."""
    lines: list[tuple[str, ...]] = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Show our own errors as one clear message, exit code 1; Ctrl-C as 130."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with errors_shown():
            return command(*args, **kwargs)

    return wrapped


@contextmanager
def errors_shown() -> Iterator[None]:
    """Turn errors that people can mend into a message and an exit code."""
    try:
        yield
    except HeadraceError as exc:
        click.secho(f"headrace: {exc.message}", fg="red", err=True)
        raise SystemExit(1) from exc
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise SystemExit(130) from None
