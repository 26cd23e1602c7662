"""``--input name=value``, and ``--input name=@file`` for files."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.errors import ArgumentInvalid

if TYPE_CHECKING:
    from runner.model.flow import Flow

input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input of the flow; NAME=@FILE gives a file. May be repeated.",
)


def read_inputs(written: tuple[str, ...]) -> dict[str, Any]:
    """Return the inputs by name; files are open for reading.

    Raises:
        ArgumentInvalid: one has no ``=``, or its file cannot be read.
    """
    from runner.services.inputs import Upload

    given: dict[str, Any] = {}
    for text in written:
        name, is_pair, value = text.partition("=")
        if not is_pair or not name:
            raise ArgumentInvalid(f"--input '{text}' is not NAME=VALUE")
        if not value.startswith("@"):
            given[name] = value
            continue
        path = Path(value[1:])
        try:
            given[name] = Upload(path.name, path.open("rb"))
        except OSError as exc:
            raise ArgumentInvalid(f"--input {name}: cannot read {path}: {exc.strerror}") from exc
    return given


def warn_of_unknown(given: Iterable[str], flow: Flow | None) -> None:
    """Say on standard error which of the inputs *given* the flow does not have."""
    known = [each.id for each in flow.inputs] if flow else []
    for name in given if flow else ():
        if not any(name == each or name.startswith(f"{each}.") for each in known):
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            text = f"headrace: the flow has no input '{name}': it is left out{hint}"
            click.secho(text, fg="yellow", err=True)
