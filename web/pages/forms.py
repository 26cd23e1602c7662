"""Reads what was entered into forms made from inputs, and shows it again when it was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from flask import request

from runner.errors import ArgumentInvalid, Conflict, HeadraceError, InputInvalid, Refused, TooLarge
from runner.model.flow import Flow, Input
from runner.model.inputs import examine_inputs
from runner.services.inputs import Upload, resume_inputs
from web.context import services, web
from web.viewmodels.fields import Entry, Field, errors_by_input, fields

REFUSALS = (InputInvalid, TooLarge, Refused, Conflict, ArgumentInvalid)
"""What is said in the form again."""

_SWITCHES = frozenset({"BOOL", "BOOLEAN"})
_FORM = "preview"


@dataclass(frozen=True)
class Entered:
    """What came with a form: values for the service, and texts to show again."""

    given: Mapping[str, Any] = field(default_factory=dict)
    entry: Entry = field(default_factory=Entry)

    @property
    def problem(self) -> str:
        """What was wrong with the whole."""
        return self.entry.problem

    def refused(self, error: HeadraceError) -> Entered:
        """Return the same with what was said against it."""
        errors, problem = errors_by_input(error.message)
        return replace(self, entry=replace(self.entry, errors=errors, problem=problem))


def read(inputs: Sequence[Input]) -> Entered:
    """Read the values of some inputs; an empty field is no value."""
    given: dict[str, Any] = {}
    texts: dict[str, tuple[str, ...]] = {}
    for each in inputs:
        name = f"in.{each.id}"
        if each.type == "FILE":
            upload = request.files.get(name)
            if upload is not None and upload.filename:
                given[each.id] = Upload(upload.filename, cast(BinaryIO, upload.stream))
            continue
        entered = tuple(request.form.getlist(name))
        texts[each.id] = entered
        value = _value(each, entered)
        if value is not None:
            given[each.id] = value
    return Entered(given, Entry(texts))


def _value(declared: Input, entered: tuple[str, ...]) -> Any:
    if declared.type in _SWITCHES:
        return "true" if "true" in entered else "false"
    if declared.type == "MULTISELECT":
        return [each for each in entered if each] or None
    text = entered[0] if entered else ""
    if declared.type not in ("STRING", "JSON", "YAML"):
        text = text.strip()
    if declared.type == "DATETIME" and text:
        return text if text.endswith("Z") or "+" in text else f"{text}Z"
    return text or None


def of_run(
    flow: Flow, entered: Entered, like: Mapping[str, Any] | None = None
) -> tuple[Field, ...]:
    """Return the run form of a flow; *like* fills it with the inputs of an earlier run."""
    return _made(flow, flow.inputs, entered, like)


def asked_by_pause(flow: Flow, task_id: str) -> Sequence[Input]:
    """Return the inputs that a Pause asks for."""
    return resume_inputs(flow, task_id)


def of_pause(flow: Flow, inputs: Sequence[Input], entered: Entered) -> tuple[Field, ...]:
    """Return the form of a Pause."""
    return _made(flow, inputs, entered, None)


def _made(
    flow: Flow, inputs: Sequence[Input], entered: Entered, like: Mapping[str, Any] | None
) -> tuple[Field, ...]:
    texts = entered.entry.texts or {
        each.id: (str(like[each.id]),)
        for each in inputs
        if like and isinstance(like.get(each.id), str | int | float) and each.type != "FILE"
    }
    given = {name: values[0] for name, values in texts.items() if values and values[0]}
    examined = examine_inputs(inputs, given, services().inputs.renderer(flow, _FORM))
    entry = replace(entered.entry, texts=texts)
    return fields(examined, entry, max_upload=web().settings.max_upload_bytes)
