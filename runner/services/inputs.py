"""Inputs of executions: values from outside become what the flow declares (flow-language §7.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from runner.errors import InputInvalid, TooLarge
from runner.expressions import Context, render_value
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Flow, Input
from runner.model.inputs import Examined, examine_inputs, nested, resolve_inputs
from runner.model.parse_inputs import read_inputs
from runner.model.section import Report, Section
from runner.model.yaml import Document
from runner.runtime import Runtime
from runner.runtime.context import nested_labels
from runner.runtime.world import FlowWorld
from runner.services.checks import FailedCheck, failed_checks
from runner.services.nesting import MOST_LEVELS, is_too_deep
from runner.storage.base import SCHEME, execution_path

_ODD = re.compile(r"[^\w.@+-]+")
_LONGEST_NAME = 120  # bytes
_MOST_TEXT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a request."""

    filename: str
    stream: BinaryIO


Given = Any
"""A value as it was given: text, plain data, or an `Upload`."""

RenderInput = Callable[[Any, Mapping[str, Any], bool], Any]


class Inputs:
    """Resolves inputs, and stores those that are files."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def resolve(
        self, flow: Flow, given: Mapping[str, Given], *, execution_id: str
    ) -> Mapping[str, Any]:
        """Return the inputs of a new execution; files are stored below it.

        Raises:
            InputInvalid: one is missing or does not fit; nothing stays behind. TooLarge.
        """
        if not flow.inputs and not given:
            return {}
        try:
            values = self._plain(flow, flow.inputs, given, execution_id)
            return _checked(
                resolve_inputs(
                    flow, values, self.renderer(flow, execution_id), self._runtime.seal.close
                )
            )
        except (InputInvalid, TooLarge):
            self.forget(flow, execution_id)
            raise

    def resolve_resume(
        self, flow: Flow, paused: TaskRun, execution: Execution, given: Mapping[str, Given]
    ) -> Mapping[str, Any]:
        """Return the inputs that a Pause asks for. Raises InputInvalid."""
        declared = resume_inputs(flow, paused.task_id)
        if not declared:
            return {}
        asked = replace(flow, inputs=declared)
        values = self._plain(asked, declared, given, execution.id)
        renderer = self.renderer(flow, execution.id)
        return _checked(resolve_inputs(asked, values, renderer, self._runtime.seal.close))

    def examine(self, flow: Flow, given: Mapping[str, Given]) -> Sequence[Examined]:
        """Return what would become of each input, without storing anything."""
        return examine_inputs(flow.inputs, _unstored(flow.inputs, given), self.renderer(flow, ""))

    def failed_checks(self, flow: Flow, examined: Sequence[Examined]) -> Sequence[FailedCheck]:
        """Return the checks of a flow that do not hold for inputs that were examined."""
        values = {one.declared.id: one.value for one in examined if one.enabled}
        return failed_checks(self._runtime, flow, nested(values))

    def renderer(self, flow: Flow, execution_id: str) -> RenderInput:
        """Return the function that renders defaults and conditions of inputs."""
        world = FlowWorld(self._runtime, flow.namespace)
        about = {
            **self._runtime.shared_variables,
            "flow": {"id": flow.id, "namespace": flow.namespace, "revision": flow.revision},
            "execution": {"id": execution_id},
            "labels": nested_labels(flow.labels),
            "vars": flow.variables,
        }

        def rendered(value: Any, variables: Mapping[str, Any], typed: bool) -> Any:
            return render_value(value, Context({**about, **variables}, world), typed=typed)

        return rendered

    def forget(self, flow: Flow, execution_id: str) -> None:
        """Remove the files of an execution that was not made."""
        if any(declared.type == "FILE" for declared in flow.inputs):
            self._runtime.storage.delete_all(execution_path(flow.namespace, flow.id, execution_id))

    def _plain(
        self,
        flow: Flow,
        declared: tuple[Input, ...],
        given: Mapping[str, Given],
        execution_id: str,
    ) -> dict[str, Any]:
        files = {each.id for each in declared if each.type == "FILE"}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if not isinstance(value, Upload):
                values[name] = value
            elif name in files:
                values[name] = self._store(flow, execution_id, name, value)
            else:
                values[name] = _text_of(name, value)
        return values

    def _store(self, flow: Flow, execution_id: str, name: str, upload: Upload) -> str:
        folder = execution_path(flow.namespace, flow.id, execution_id)
        path = f"{folder}inputs/{name}/{file_name(upload.filename)}"
        stored = self._runtime.storage.put(path, upload.stream)
        limit = self._runtime.settings.web.max_upload_bytes
        if stored.size > limit:
            self._runtime.storage.delete(path)
            raise TooLarge(f"the file of input '{name}' is larger than {limit} bytes")
        return SCHEME + path


def _checked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in values.items():
        if is_too_deep(value):
            raise InputInvalid(
                f"Invalid value for input `{name}`. Cause: it is nested deeper than"
                f" {MOST_LEVELS} levels"
            )
    return values


def resume_inputs(flow: Flow, task_id: str) -> tuple[Input, ...]:
    """Return the inputs that a Pause declares as ``onResume``."""
    written = flow.task(task_id).properties.get("onResume")
    if not isinstance(written, list):
        return ()
    value = {"inputs": written}
    return read_inputs(Section(Report(Document(value, {})), value, ()))


def file_name(given: str) -> str:
    """Return a file's name from outside without folders and odd characters."""
    last = given.replace("\\", "/").rpartition("/")[2]
    name = _ODD.sub("_", last).strip(".") or "file"
    return name.encode()[-_LONGEST_NAME:].decode("utf-8", "ignore")


def _unstored(declared: Sequence[Input], given: Mapping[str, Given]) -> dict[str, Any]:
    """Values as `_plain` makes them; a file stands for itself by a URI that leads nowhere."""
    files = {each.id for each in declared if each.type == "FILE"}
    return {
        name: value
        if not isinstance(value, Upload)
        else f"{SCHEME}/{file_name(value.filename)}"
        if name in files
        else _text_of(name, value)
        for name, value in given.items()
    }


def _text_of(name: str, upload: Upload) -> str:
    content = upload.stream.read(_MOST_TEXT_BYTES + 1)
    if len(content) > _MOST_TEXT_BYTES:
        raise TooLarge(f"the text of input '{name}' is larger than {_MOST_TEXT_BYTES} bytes")
    return content.decode("utf-8", "replace")
