"""The working directory of a script: what is put into it, and what is taken out afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from runner.model.logs import Level
from runner.plugin import RunContext, TaskError
from runner.plugins import _globs
from runner.taskrunners.base import TaskRunner

HIDDEN = ".headrace"
"""Prefix of our own files in it; none of them is an output."""

_URI = re.compile(r"kestra:///[-\w.~+#=/%]+")


class NamespaceFilesOptions(BaseModel):
    """Which namespace files are put into the working directory."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    enabled: bool = Field(default=True, description="false: none")
    include: list[str] = Field(
        default=[],
        description="patterns of files to take, anywhere below unless with a slash at the start; "
        "none: all",
    )
    exclude: list[str] = Field(default=[], description="patterns of files to leave out")
    namespaces: list[str] = Field(default=[], description="default: the flow's; the last one wins")
    if_exists: Literal["OVERWRITE", "FAIL", "WARN", "IGNORE"] = Field(
        default="OVERWRITE", description="what to do when a file is there already"
    )
    folder_per_namespace: bool = Field(default=False, description="a folder for each namespace")

    def takes(self, path: str) -> bool:
        """Say whether a file is wanted."""
        included = not self.include or any(_globs.fits(path, one) for one in self.include)
        return included and not any(_globs.fits(path, one) for one in self.exclude)


class Workspace:
    """The working directory of one attempt, here and as the command sees it."""

    def __init__(self, ctx: RunContext, runner: TaskRunner) -> None:
        self.folder = ctx.working_dir
        self.seen = runner.workdir(self.folder)
        self._ctx = ctx
        self._fetched: dict[str, str] = {}

    @property
    def output_dir(self) -> Path:
        """Where a script may put all of its outputs; always of the same name, for a take-over."""
        return self.folder / HIDDEN / "outputs"

    def seen_as(self, path: Path) -> str:
        """Return a path in it as the command sees it."""
        return f"{self.seen}/{path.relative_to(self.folder).as_posix()}"

    def write(self, name: str, content: str | BinaryIO) -> Path:
        """Write a file; one that is there is replaced. Raises TaskError: the name leads out."""
        target = self._target(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.is_file():
            target.unlink()
        with target.open("xb") as file:
            if isinstance(content, str):
                file.write(content.encode())
            else:
                shutil.copyfileobj(content, file, 1024 * 1024)
        return target

    def put_inputs(self, given: JsonValue, extra: Mapping[str, Any] | None = None) -> None:
        """Write input files, rendered with *extra* variables: a map, or its JSON text.

        They come from storage where the value is a URI, else they are the text itself.

        Raises:
            TaskError: it is no map, or a name leads out.
        """
        for name, value in self._inputs(given, extra).items():
            if value is None:
                continue
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if self._ctx.files.is_uri(text):
                with self._ctx.files.open(text) as source:
                    self.write(name, source)
            else:
                self.write(name, text)

    def _inputs(self, given: JsonValue, extra: Mapping[str, Any] | None) -> dict[str, Any]:
        rendered = self._ctx.render(given, typed=isinstance(given, str), extra=extra)
        if isinstance(rendered, str) and rendered.strip():
            try:
                rendered = json.loads(rendered)
            except ValueError as exc:
                raise TaskError(f"'inputFiles' is no map of file names: {exc}") from exc
        if not rendered:
            return {}
        if not isinstance(rendered, Mapping):
            raise TaskError("'inputFiles' must be a map of file names to texts or URIs")
        return {str(self._ctx.render(name, extra=extra)): rendered[name] for name in rendered}

    def put_namespace_files(self, options: NamespaceFilesOptions) -> None:
        """Write the namespace files that are wanted."""
        if not options.enabled:
            return
        began = time.monotonic()
        namespaces = options.namespaces or [self._ctx.identity.namespace]
        count = sum(self._put_namespace(one, options) for one in namespaces)
        self._ctx.metric("namespacefiles.count", "counter", count)
        self._ctx.metric("namespacefiles.duration", "timer", time.monotonic() - began)
        self._ctx.log.write(
            Level.INFO,
            f"Loaded {count} namespace files from '{', '.join(namespaces)}' in "
            f"{time.monotonic() - began:.3f} s",
        )

    def localize(self, text: str) -> str:
        """Replace the URIs of stored files in a text by paths of copies."""
        return _URI.sub(lambda match: self._copy_of(match[0]), text)

    def outputs(self, names: Sequence[str]) -> dict[str, str]:
        """Store the files that the names or patterns stand for; path in it → URI."""
        wanted = [self._relative(name) for name in names]
        found = {
            path: self._ctx.files.put(self.folder / path, path)
            for path in sorted(self._files(self.folder))
            if not path.startswith(HIDDEN)
            and any(path == one or _globs.matches(path, one) for one in wanted)
        }
        for name in wanted:
            if (self.folder / name).is_dir():
                self._ctx.log.write(
                    Level.WARN,
                    f"outputFiles: {name} is a folder; write {name.rstrip('/')}/** "
                    "for the files in it",
                )
        return found

    def output_dir_files(self) -> dict[str, str]:
        """Store all files of the output directory; path in that → URI."""
        folder = self.output_dir
        return {
            path: self._ctx.files.put(folder / path, path) for path in sorted(self._files(folder))
        }

    def _put_namespace(self, namespace: str, options: NamespaceFilesOptions) -> int:
        count = 0
        for file in self._ctx.namespace_files.list(namespace):
            path = file.path.lstrip("/")
            if not options.takes(path):
                continue
            name = f"{namespace}/{path}" if options.folder_per_namespace else path
            if self._target(name).exists() and not self._overwrites(name, options):
                continue
            with self._ctx.namespace_files.open(namespace, file.path) as source:
                self.write(name, source)
            count += 1
        return count

    def _overwrites(self, name: str, options: NamespaceFilesOptions) -> bool:
        match options.if_exists:
            case "OVERWRITE":
                return True
            case "FAIL":
                raise TaskError(f"the namespace file {name} is in the working directory already")
            case "WARN":
                self._ctx.log.write(
                    Level.WARN, f"Kept the file {name}: it was in the working directory"
                )
        return False

    def _copy_of(self, uri: str) -> str:
        if uri not in self._fetched:
            name = f"{HIDDEN}/files/{len(self._fetched)}-{uri.rpartition('/')[2]}"
            target = self._target(name)
            self._ctx.files.fetch(uri, target)
            self._fetched[uri] = self.seen_as(target)
        return self._fetched[uri]

    def _target(self, name: str) -> Path:
        inside = self._relative(name)
        parts = [part for part in inside.split("/") if part not in ("", ".")]
        is_odd = not parts or inside[:1] == "/" or inside[-1:] == "/" or ".." in parts
        target = self.folder.joinpath(*parts) if not is_odd and "\0" not in name else self.folder
        if target == self.folder or not target.parent.resolve().is_relative_to(
            self.folder.resolve()
        ):
            raise TaskError(f"{name!r} is no name of a file in the working directory")
        return target

    def _relative(self, name: str) -> str:
        return name.removeprefix(f"{self.seen}/").removeprefix(f"{self.folder}/").removeprefix("./")

    def _files(self, root: Path) -> Iterator[str]:
        """Yield the plain files below, and the links to such inside of the working directory."""
        inside = self.folder.resolve()
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                real = path.resolve()
                if real.is_relative_to(inside) and real.is_file():
                    yield path.relative_to(root).as_posix()
