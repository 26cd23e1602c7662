"""``--input name=value``, and ``--input name=@file`` for files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.errors import ArgumentInvalid

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
