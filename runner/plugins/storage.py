"""Files in internal storage."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from runner.errors import NotFound
from runner.model.logs import Level
from runner.model.scalars import is_true
from runner.plugin import Fixed, Read, RunContext, Task, TaskError
from runner.plugins import _globs, _items
from runner.plugins._dates import moment
from runner.plugins._splitting import Cut, split

_OLD = "io.kestra.core.tasks.storages."
_COPY_BYTES = 2**20
DEFAULT_EXTENSION = ".tmp"


class Concat(Task):
    """Write files one after another into a new one.

    Example:
        - id: together
          type: io.kestra.plugin.core.storage.Concat
          files:
            - "{{ outputs.first.uri }}"
            - "{{ outputs.second.uri }}"
          separator: "\\n"
    """

    aliases = (_OLD + "Concat",)

    type: Literal["io.kestra.plugin.core.storage.Concat"] = "io.kestra.plugin.core.storage.Concat"
    files: JsonValue = Field(description="list of URIs, or a text that is a JSON list of them")
    separator: str | None = Field(default=None, description="written after every file")
    extension: str = Field(default=".tmp", description="end of the new file's name")

    class Outputs(Task.Outputs):
        uri: str = Field(description="the new file")

    def run(self, ctx: RunContext) -> Outputs:
        with _items.spool() as target:
            for uri in texts(self.files, "files"):
                with ctx.files.open(uri) as source:
                    while chunk := source.read(_COPY_BYTES):
                        target.write(chunk)
                target.write((self.separator or "").encode())
            return self.Outputs(uri=_items.stored(ctx, target, f"concat{self.extension}"))


class Split(Task):
    """Cut a file of lines into several.

    The first given of regexPattern, bytes, partitions and rows says how. A pattern sends each line
    to the file of what its first group found, and drops those that do not match.

    Example:
        - id: parts
          type: io.kestra.plugin.core.storage.Split
          from: "{{ outputs.download.uri }}"
          rows: 1000
    """

    aliases = (_OLD + "Split",)

    type: Literal["io.kestra.plugin.core.storage.Split"] = "io.kestra.plugin.core.storage.Split"
    source: str = Field(alias="from", description="URI of the file")
    regex_pattern: str | None = Field(default=None, description="with one group, the file's key")
    bytes: str | None = Field(default=None, description="a new file when reached, such as 10MB")
    partitions: int | None = Field(default=None, ge=1, description="number of files, in turns")
    rows: int | None = Field(default=None, ge=1, description="lines in each file")
    separator: str = Field(default="\n", description="written after each line")

    class Outputs(Task.Outputs):
        uris: list[str] = Field(description="the new files")

    def run(self, ctx: RunContext) -> Outputs:
        cut = Cut(self.regex_pattern, self.bytes, self.partitions, self.rows, self.separator)
        with ctx.files.open(self.source) as source, TemporaryDirectory() as folder:
            parts = split(source, cut, Path(folder))
            ending = _extension(self.source)
            return self.Outputs(uris=[ctx.files.put(part, part.stem + ending) for part in parts])


class DeduplicateItems(Task):
    """Keep the last item of each key; a file has one item in each line.

    Example:
        - id: latest
          type: io.kestra.plugin.core.storage.DeduplicateItems
          from: "{{ outputs.rows.uri }}"
          expr: "{{ id }}"
    """

    aliases = (_OLD + "DeduplicateItems",)

    type: Literal["io.kestra.plugin.core.storage.DeduplicateItems"] = (
        "io.kestra.plugin.core.storage.DeduplicateItems"
    )
    source: str = Field(alias="from", description="URI of the file")
    expr: Annotated[str, Read.ASKED, Fixed()] = Field(
        description="gives the key; sees the item's fields as variables"
    )

    class Outputs(Task.Outputs):
        uri: str = Field(description="the new file")
        num_keys: int = Field(description="different keys")
        processed_items_total: int = Field(description="items read")
        dropped_items_total: int = Field(description="items left out")

    def run(self, ctx: RunContext) -> Outputs:
        last: dict[str, int] = {}
        count = 0
        for count, (_, value) in enumerate(_items.items(ctx, self.source), 1):
            last[self._key(ctx, value)] = count
        kept = set(last.values())
        with _items.spool() as target:
            for number, (line, _) in enumerate(_items.items(ctx, self.source), 1):
                if number in kept:
                    target.write(_items.with_line_end(line))
            return self.Outputs(
                uri=_items.stored(ctx, target, "items.ion"),
                num_keys=len(last),
                processed_items_total=count,
                dropped_items_total=count - len(last),
            )

    def _key(self, ctx: RunContext, value: Any) -> str:
        return str(ctx.render(self.expr, extra=_items.variables_of(value)))


class FilterItems(Task):
    """Keep the items for which a condition holds; a file has one item in each line.

    Example:
        - id: expensive
          type: io.kestra.plugin.core.storage.FilterItems
          from: "{{ outputs.rows.uri }}"
          filterCondition: "{{ price > 100 }}"
    """

    aliases = (_OLD + "FilterItems",)

    type: Literal["io.kestra.plugin.core.storage.FilterItems"] = (
        "io.kestra.plugin.core.storage.FilterItems"
    )
    source: str = Field(alias="from", description="URI of the file")
    filter_condition: Annotated[str, Read.ASKED, Fixed()] = Field(
        description="sees the item's fields as variables"
    )
    filter_type: Literal["INCLUDE", "EXCLUDE"] = Field(
        default="INCLUDE", description="what is done with items for which it holds"
    )
    error_or_null_behavior: Literal["FAIL", "INCLUDE", "EXCLUDE"] = Field(
        default="FAIL", description="what is done with items for which it fails"
    )

    class Outputs(Task.Outputs):
        uri: str = Field(description="the new file")
        processed_items_total: int = Field(description="items read")
        dropped_items_total: int = Field(description="items left out")

    def run(self, ctx: RunContext) -> Outputs:
        count = kept = 0
        with _items.spool() as target:
            for line, value in _items.items(ctx, self.source):
                count += 1
                if self._is_kept(ctx, value):
                    kept += 1
                    target.write(_items.with_line_end(line))
            return self.Outputs(
                uri=_items.stored(ctx, target, "items.ion"),
                processed_items_total=count,
                dropped_items_total=count - kept,
            )

    def _is_kept(self, ctx: RunContext, value: Any) -> bool:
        try:
            given = str(ctx.render(self.filter_condition, extra=_items.variables_of(value)))
        except Exception as exc:
            if self.error_or_null_behavior == "FAIL":
                raise TaskError(f"Expression `{self.filter_condition}` failed: {exc}") from exc
            return self.error_or_null_behavior == "INCLUDE"
        return is_true(given) is (self.filter_type == "INCLUDE")


class Reverse(Task):
    """Write the lines of a file in reverse order.

    Example:
        - id: newest_first
          type: io.kestra.plugin.core.storage.Reverse
          from: "{{ outputs.rows.uri }}"
    """

    aliases = (_OLD + "Reverse",)

    type: Literal["io.kestra.plugin.core.storage.Reverse"] = "io.kestra.plugin.core.storage.Reverse"
    source: str = Field(alias="from", description="URI of the file")
    separator: str = Field(default="\n", description="written after each line")
    charset: str = Field(default="UTF-8", description="of the file")

    class Outputs(Task.Outputs):
        uri: str = Field(description="the new file")

    def run(self, ctx: RunContext) -> Outputs:
        try:
            with ctx.files.open(self.source) as file:
                lines = file.read().decode(self.charset).splitlines()
            reversed_text = "".join(line + self.separator for line in reversed(lines))
            content = reversed_text.encode(self.charset)
        except (LookupError, UnicodeError) as exc:
            raise TaskError(f"'charset' {self.charset}: {exc}") from exc
        return self.Outputs(uri=ctx.files.put(content, f"reversed{_extension(self.source)}"))


class Size(Task):
    """Tell how large a file is.

    Example:
        - id: size
          type: io.kestra.plugin.core.storage.Size
          uri: "{{ outputs.download.uri }}"
    """

    aliases = (_OLD + "Size",)

    type: Literal["io.kestra.plugin.core.storage.Size"] = "io.kestra.plugin.core.storage.Size"
    uri: str = Field(description="URI of the file")

    class Outputs(Task.Outputs):
        size: int = Field(description="bytes")

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs(size=ctx.files.size(self.uri))


class Write(Task):
    """Write a text to a file.

    Example:
        - id: report
          type: io.kestra.plugin.core.storage.Write
          content: "{{ outputs.counts.values }}"
          extension: .json
    """

    type: Literal["io.kestra.plugin.core.storage.Write"] = "io.kestra.plugin.core.storage.Write"
    content: str = Field(description="the text")
    extension: str | None = Field(default=None, description="end of the file's name, such as .txt")

    class Outputs(Task.Outputs):
        uri: str = Field(description="the new file")

    def run(self, ctx: RunContext) -> Outputs:
        ending = self.extension or DEFAULT_EXTENSION
        ending = ending if ending.startswith(".") else f".{ending}"
        return self.Outputs(uri=ctx.files.put(self.content.encode(), f"file{ending}"))


class Delete(Task):
    """Remove a file of the flow's namespace.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.storage.Delete
          uri: "{{ outputs.download.uri }}"
    """

    aliases = (_OLD + "Delete",)

    type: Literal["io.kestra.plugin.core.storage.Delete"] = "io.kestra.plugin.core.storage.Delete"
    uri: str = Field(description="URI of the file")
    error_on_missing: bool = Field(default=False, description="fail if there is no such file")

    class Outputs(Task.Outputs):
        uri: str = Field(description="the file")
        deleted: bool = Field(description="whether there was one")

    def run(self, ctx: RunContext) -> Outputs:
        was_there = ctx.files.delete(self.uri)
        if self.error_on_missing and not was_there:
            raise TaskError(f"Unable to find file '{self.uri}'")
        return self.Outputs(uri=self.uri, deleted=was_there)


class LocalFiles(Task):
    """Write files into the working directory, or keep some of it (deprecated).

    Use inputFiles and outputFiles of WorkingDirectory.

    Example:
        - id: files
          type: io.kestra.plugin.core.storage.LocalFiles
          inputs:
            hello.txt: "Hello {{ inputs.name }}"
          outputs: ["*.txt"]
    """

    superseded = (
        "LocalFiles is deprecated: write inputFiles and outputFiles of the WorkingDirectory"
    )

    aliases = (_OLD + "LocalFiles",)

    type: Literal["io.kestra.plugin.core.storage.LocalFiles"] = (
        "io.kestra.plugin.core.storage.LocalFiles"
    )
    inputs: JsonValue = Field(default=None, description="file name to text or URI")
    outputs: list[str] = Field(default=[], description="patterns of files to keep")

    class Outputs(Task.Outputs):
        uris: dict[str, str] = Field(default={}, description="path to URI of the stored file")

    def run(self, ctx: RunContext) -> Outputs:
        folder = ctx.working_dir
        for name, value in mapping(self.inputs, "inputs").items():
            _write(ctx, _inside(folder, name), value)
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        names = {path.relative_to(folder).as_posix(): path for path in found}
        return self.Outputs(
            uris={
                name: ctx.files.put(path, name)
                for name, path in names.items()
                if any(name == one or _globs.matches(name, one) for one in self.outputs)
            }
        )


class PurgeCurrentExecutionFiles(Task):
    """Remove all files of this execution: its inputs, and what its tasks have stored.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles
    """

    aliases = (_OLD + "PurgeExecution", "io.kestra.plugin.core.storage.PurgeExecution")

    type: Literal["io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles"] = (
        "io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles"
    )

    class Outputs(Task.Outputs):
        uris: list[str] = Field(description="the removed files")

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs(uris=[uri for uri in ctx.files.own() if ctx.files.delete(uri)])


class PurgeStorage(Task):
    """Remove old files of executions; the executions stay.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.storage.PurgeStorage
          endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
          dryRun: false
    """

    type: Literal["io.kestra.plugin.core.storage.PurgeStorage"] = (
        "io.kestra.plugin.core.storage.PurgeStorage"
    )
    end_date: str = Field(description="files of executions that stored nothing since this date")
    start_date: str | None = Field(default=None, description="but something since this one")
    namespace: str | None = Field(default=None, description="only of it and those below it")
    flow_id: str | None = Field(default=None, description="only of this flow of the namespace")
    dry_run: bool = Field(default=True, description="only count")

    class Outputs(Task.Outputs):
        scanned_count: int = Field(description="executions that have files")
        purged_count: int = Field(description="executions whose files went")
        deleted_files_count: int = Field(description="files that went")

    def run(self, ctx: RunContext) -> Outputs:
        if self.flow_id and not self.namespace:
            raise TaskError("'namespace' is required when 'flowId' is set.")
        scanned, purged, files = ctx.server.purge_storage(
            since=moment("startDate", self.start_date) if self.start_date else None,
            until=moment("endDate", self.end_date),
            namespace=self.namespace,
            flow_id=self.flow_id,
            dry_run=self.dry_run,
        )
        for name, count in (("scanned", scanned), ("purged", purged), ("deleted.files", files)):
            ctx.metric(name, "counter", count)
        what = f"PurgeStorage complete (dryRun={str(self.dry_run).lower()})"
        ctx.log.write(
            Level.INFO, f"{what}: scanned={scanned}, purged={purged}, deletedFiles={files}"
        )
        return self.Outputs(scanned_count=scanned, purged_count=purged, deleted_files_count=files)


def texts(value: JsonValue, name: str) -> list[str]:
    """Return a list of texts that may be written as a JSON text. Raises TaskError."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _parsed(value, name)
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise TaskError(f"'{name}' must be a list of texts, not {str(value)[:100]!r}")
    return [str(item) for item in value]


def mapping(value: JsonValue, name: str) -> dict[str, Any]:
    """Return a map that may be written as a JSON text. Raises TaskError."""
    if isinstance(value, str):
        value = _parsed(value, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TaskError(f"'{name}' must be a map, not {str(value)[:100]!r}")
    return value


def _extension(uri: str) -> str:
    """Return how the name of a file ends, or what files without a kind end with."""
    return PurePosixPath(uri).suffix or DEFAULT_EXTENSION


def _parsed(text: str, name: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(text)
    except ValueError as exc:
        raise TaskError(f"'{name}' is no JSON: {exc}") from exc
    return parsed


def _write(ctx: RunContext, target: Path, value: Any) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if ctx.files.is_uri(text):
        try:
            ctx.files.fetch(text, target)
        except NotFound as exc:
            raise TaskError(exc.message) from exc
    else:
        target.write_text(text)


def _inside(folder: Path, name: str) -> Path:
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()) or target == folder.resolve():
        raise TaskError(f"{name!r} is no name of a file in the working directory")
    return target
