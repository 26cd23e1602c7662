"""Writes docs/reference/ from the code: task types, settings, command line.

python -m script.reference            write the pages
python -m script.reference --check    fail where a page is stale
"""

import importlib.metadata
import inspect
import json
import sys
import textwrap
import typing
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import UnionType

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runner.plugin import Plugin
from runner.settings import Settings
from script.catalogue import type_name, types

FOLDER = Path(__file__).parents[1] / "docs/reference"
GENERATED = "*Written by `make docs` from the code.*"


def main(arguments: list[str]) -> int:
    pages = {name: text.rstrip() + "\n" for name, text in generate().items()}
    if "--check" in arguments:
        return _check(pages)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text)
    return 0


def generate() -> dict[str, str]:
    """Return each page's text by its file name."""
    return {
        "task-types.md": "\n".join(_types_page()),
        "settings.md": "\n".join(_settings_page()),
        "command-line.md": "\n".join(_command_page()),
    }


def _check(pages: dict[str, str]) -> int:
    stale = [
        n for n, t in pages.items() if not (FOLDER / n).exists() or (FOLDER / n).read_text() != t
    ]
    for name in stale:
        print(f"docs/reference/{name} is stale: run make docs", file=sys.stderr)
    return 1 if stale else 0


def _types_page() -> Iterator[str]:
    yield from ("# Task types, triggers, task runners", "", GENERATED, "")
    yield "Each name may be written without `io.kestra.plugin.`."
    for cls in types():
        yield from _type_section(cls)


def _type_section(cls: type[Plugin]) -> Iterator[str]:
    summary, example = docstring(cls)
    yield from ("", f"## {type_name(cls)}", "", summary)
    if cls.family is not None and cls.family.extra:
        yield from ("", f"Needs `pip install 'headrace[{cls.family.extra}]'`.")
    if example:
        yield from ("", "```yaml", example, "```")
    fields = {name: field for name, field in cls.model_fields.items() if name != "type"}
    if fields:
        yield from ("", "| property | | default |", "|---|---|---|", *_rows(fields))
    outputs = getattr(cls, "Outputs", None)
    if outputs is not None and outputs.model_fields:
        yield from ("", "| output | |", "|---|---|", *_output_rows(outputs.model_fields))
    if cls.later:
        yield from (
            "",
            "Not available yet: " + ", ".join(f"`{n}`" for n in sorted(cls.later)) + ".",
        )


def docstring(cls: type) -> tuple[str, str]:
    """Return the text before and the YAML after `Example:`."""
    text, _, example = (inspect.getdoc(cls) or "").partition("Example:\n")
    return text.strip(), textwrap.dedent(example).strip()


def _rows(fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        text = _cell(field.description or "")
        yield f"| `{field.alias or name}` | {text} | {_default(field)} |"


def _output_rows(fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        yield f"| `{field.alias or name}` | {_cell(field.description or '')} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value in (None, "", PydanticUndefined) else f"`{_cell(_plain(value))}`"


def _plain(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, BaseModel):
        return "…"
    if isinstance(value, bool | list | tuple | dict):
        return json.dumps(value, default=str)
    return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _settings_page() -> Iterator[str]:
    yield from ("# Settings", "", GENERATED, "")
    yield "`headrace.yaml`, or variables: `HEADRACE_WEB__PORT=9000` is `web: {port: 9000}`."
    yield 'A secret is given by reference, `"${NAME}"` of an environment variable.'
    yield from ("", *_settings_table(Settings))
    for name, section in _sections(Settings):
        yield from (
            "",
            f"## {name}",
            "",
            inspect.getdoc(section) or "",
            "",
            *_settings_table(section),
        )


def _settings_table(model: type[BaseModel]) -> Iterator[str]:
    yield from ("| setting | default |", "|---|---|")
    for name, field in model.model_fields.items():
        if not _models_in(field.annotation):
            yield f"| `{name}` | {_default(field)} |"


def _sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        for section in _models_in(field.annotation):
            yield f"{prefix}{name}", section
            yield from _sections(section, f"{prefix}{name}.")


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (tuple, list, typing.Union, UnionType):
        return [m for inner in typing.get_args(annotation) for m in _models_in(inner)]
    return []


def _command_page() -> Iterator[str]:
    [entry] = importlib.metadata.entry_points(group="console_scripts", name="headrace")
    main_module = importlib.import_module(entry.module)
    group = getattr(main_module, "command", None) or main_module.main
    yield from ("# Command line", "", GENERATED)
    if isinstance(group, click.Command):
        yield from _command_sections(group, _context(group, "headrace"))


def _command_sections(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"## `{context.command_path}`", "", "```", command.get_help(context), "```")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _command_sections(child, _context(child, name, context))


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    """Return the context in which a command prints its help, as when it is called."""
    settings = {**command.context_settings, "terminal_width": 100}
    return click.Context(command, info_name=name, parent=parent, **settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
