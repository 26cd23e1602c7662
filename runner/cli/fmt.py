"""``headrace fmt``: flows in today's words; no server needed."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import click

from runner.cli.validate import files_of
from runner.model.mending import Mended, Unreadable, mend


@dataclass(frozen=True)
class _File:
    path: Path
    source: str
    mended: Mended

    @property
    def is_old(self) -> bool:
        return self.mended.text != self.source


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--fix", is_flag=True, help="Rewrite the files instead of showing what would change.")
def fmt(paths: tuple[Path, ...], fix: bool) -> None:
    """Rewrite what is deprecated in flows.

    Types, properties and spellings are brought up to date, cron expressions of Quartz become those
    of Unix; comments stay. Without --fix the changes are shown as a diff, and the command ends with
    1 if there are any.
    """
    files = [_read(path) for path in files_of(paths)]
    old = [file for file in files if file is not None and file.is_old]
    for file in old:
        if fix:
            _write(file)
        else:
            click.echo(_diff(file), nl=False)
    verb = "rewritten" if fix else "to rewrite (--fix)"
    click.echo(f"{len(files)} checked, {len(old)} {verb}")
    if (old and not fix) or None in files:
        raise SystemExit(1)


def _read(path: Path) -> _File | None:
    from runner.registry import load

    try:
        with path.open(encoding="utf-8", newline="") as stream:
            source = stream.read()
        return _File(path, source, mend(source, load()))
    except (Unreadable, UnicodeDecodeError, OSError) as exc:
        click.echo(f"{path}: left as it is: {exc}", err=True)
        return None


def _write(file: _File) -> None:
    with file.path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(file.mended.text)
    for change in file.mended.changes:
        click.echo(f"{file.path}:{change.line}: {change.message}")


def _diff(file: _File) -> str:
    before = file.source.splitlines(keepends=True)
    after = file.mended.text.splitlines(keepends=True)
    return "".join(unified_diff(before, after, str(file.path), str(file.path), n=1))
