"""Namespace files: those that the API owns are changed, those of Git only read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, Field, JsonValue, model_validator

from runner.errors import NotFound, Refused
from runner.model.logs import Level
from runner.plugin import RunContext, Task, TaskError
from runner.plugins import _globs
from runner.plugins._dates import moment
from runner.plugins._purging import OfNamespaces, check_one_of_two
from runner.plugins.storage import mapping, texts


class UploadFiles(Task):
    """Make namespace files of files in the working directory, or of stored ones.

    Example:
        - id: publish
          type: io.kestra.plugin.core.namespace.UploadFiles
          namespace: company.team
          filesMap:
            report.csv: "{{ outputs.query.uri }}"
          destination: /reports
    """

    type: Literal["io.kestra.plugin.core.namespace.UploadFiles"] = (
        "io.kestra.plugin.core.namespace.UploadFiles"
    )
    namespace: str = Field(description="whose files")
    files: JsonValue = Field(default=None, description="patterns of files in the working directory")
    files_map: JsonValue = Field(default=None, description="name to URI, as a map or a JSON text")
    destination: str = Field(default="/", description="folder to put them into")
    conflict: Literal["OVERWRITE", "ERROR", "SKIP"] = Field(
        default="OVERWRITE", description="what to do with files that are there already"
    )

    class Outputs(Task.Outputs):
        files: dict[str, str] | None = Field(default=None, description="of no use")

    def run(self, ctx: RunContext) -> Outputs:
        if not self.files and not self.files_map:
            raise TaskError("files or filesMap is required")
        known = {file.path for file in ctx.namespace_files.list(self.namespace)}
        for name, source in self._found(ctx):
            path = posixpath.join(self.destination.strip("/"), name)
            if path in known and not self._overwrites(ctx, path):
                continue
            with _opened(ctx, source) as file:
                if file is not None:
                    self._put(ctx, path, file)
                    done = "overwritten into" if path in known else "added to"
                    ctx.log.write(
                        Level.DEBUG, f"File '/{path}' {done} namespace '{self.namespace}'."
                    )
        return self.Outputs()

    def _found(self, ctx: RunContext) -> Iterator[tuple[str, Any]]:
        """Yield names, and the files or URIs that they stand for."""
        yield from mapping(self.files_map, "filesMap").items()
        patterns = texts(self.files, "files") if self.files else []
        for path in sorted(ctx.working_dir.rglob("*")) if patterns else ():
            name = path.relative_to(ctx.working_dir).as_posix()
            if path.is_file() and any(_globs.fits(name, pattern) for pattern in patterns):
                yield name, path

    def _overwrites(self, ctx: RunContext, path: str) -> bool:
        if self.conflict == "OVERWRITE":
            return True
        told = (
            f"File '/{path}' already exists in namespace '{self.namespace}' and conflict is set to "
            f"{self.conflict}"
        )
        if self.conflict == "ERROR":
            raise TaskError(told)
        ctx.log.write(Level.DEBUG, f"{told}. Skipping.")
        return False

    def _put(self, ctx: RunContext, path: str, file: BinaryIO) -> None:
        try:
            ctx.namespace_files.put(self.namespace, path, file)
        except Refused as exc:
            raise TaskError(exc.message) from exc


class DownloadFiles(Task):
    """Copy namespace files into internal storage.

    Example:
        - id: scripts
          type: io.kestra.plugin.core.namespace.DownloadFiles
          namespace: company.team
          files: ["**/*.sql"]
    """

    type: Literal["io.kestra.plugin.core.namespace.DownloadFiles"] = (
        "io.kestra.plugin.core.namespace.DownloadFiles"
    )
    namespace: str = Field(description="whose files")
    files: JsonValue = Field(description="a pattern, or a list of them")
    destination: str = Field(default="", description="folder of the copies")

    class Outputs(Task.Outputs):
        files: dict[str, str] = Field(description="path, from a slash on, to URI of the copy")

    def run(self, ctx: RunContext) -> Outputs:
        paths = _matching(ctx, self.namespace, self.files)
        found = {f"/{path}": self._copied(ctx, path) for path in paths}
        ctx.metric("downloaded", "counter", len(found))
        return self.Outputs(files=found)

    def _copied(self, ctx: RunContext, path: str) -> str:
        with ctx.namespace_files.open(self.namespace, path) as file:
            uri = ctx.files.put(file, posixpath.join(self.destination.strip("/"), path))
        ctx.log.write(Level.DEBUG, f"Downloaded {uri}")
        return uri


class DeleteFiles(Task):
    """Remove namespace files; those of Git are removed there.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.namespace.DeleteFiles
          namespace: company.team
          files: ["reports/2023/**"]
    """

    type: Literal["io.kestra.plugin.core.namespace.DeleteFiles"] = (
        "io.kestra.plugin.core.namespace.DeleteFiles"
    )
    namespace: str = Field(description="whose files")
    files: JsonValue = Field(description="a pattern, or a list of them")
    delete_parent_folder: bool = Field(
        default=False, description="of no effect: folders are there while they have files"
    )

    class Outputs(Task.Outputs):
        files: dict[str, str] | None = Field(default=None, description="of no use")

    def run(self, ctx: RunContext) -> Outputs:
        paths = _matching(ctx, self.namespace, self.files)
        ctx.metric("deleted", "counter", sum(self._deleted(ctx, path) for path in paths))
        return self.Outputs()

    def _deleted(self, ctx: RunContext, path: str) -> bool:
        try:
            return ctx.namespace_files.delete(self.namespace, path)
        except Refused as exc:
            raise TaskError(exc.message) from exc


class PurgeBehavior(BaseModel):
    """Which versions stay."""

    model_config = Task.model_config

    type: Literal["version"] = Field(default="version", description="old versions")
    before: str | None = Field(default=None, description="those of before this date and time")
    keep_amount: int | None = Field(
        default=None, ge=1, description="how many stay, the present one among them"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> PurgeBehavior:
        check_one_of_two(self.type, self.before, self.keep_amount)
        return self

    def spares(self, age: int, at: datetime) -> bool:
        """Say whether a version stays that is the *age*-th before the present one."""
        if self.keep_amount is not None:
            return age < self.keep_amount
        return at >= moment("before", str(self.before))


class PurgeFiles(OfNamespaces):
    """Remove old versions of namespace files; the present one stays.

    Git keeps the versions of its own files, and they stay there.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.namespace.PurgeFiles
          namespaces: [company.team]
    """

    type: Literal["io.kestra.plugin.core.namespace.PurgeFiles"] = (
        "io.kestra.plugin.core.namespace.PurgeFiles"
    )
    file_pattern: str | None = Field(default=None, description="which files, with * and ?")
    behavior: PurgeBehavior = Field(
        default=PurgeBehavior(keep_amount=1), description="which versions"
    )

    class Outputs(Task.Outputs):
        size: int = Field(description="how many were removed")

    def run(self, ctx: RunContext) -> Outputs:
        places = self.chosen(ctx.namespace_files.namespaces())
        size = sum(self._purged(ctx, namespace) for namespace in places)
        ctx.log.write(Level.INFO, f"purged {size} files in {len(places)} namespaces")
        return self.Outputs(size=size)

    def _purged(self, ctx: RunContext, namespace: str) -> int:
        known = sorted(ctx.namespace_files.versions(namespace), key=lambda each: each.path)
        gone = 0
        for path, group in groupby(known, key=lambda each: each.path):
            if not fnmatchcase(path, self.file_pattern or "*"):
                continue
            newest_first = sorted(group, key=lambda each: each.version, reverse=True)
            for age, each in enumerate(newest_first, 1):
                if not self.behavior.spares(age, each.at):
                    gone += ctx.namespace_files.forget(namespace, each)
        return gone


def _matching(ctx: RunContext, namespace: str, patterns: JsonValue) -> list[str]:
    wanted = texts(patterns, "files")
    paths = [file.path.lstrip("/") for file in ctx.namespace_files.list(namespace)]
    return [path for path in paths if any(_globs.fits(path, pattern) for pattern in wanted)]


@contextmanager
def _opened(ctx: RunContext, source: Any) -> Iterator[BinaryIO | None]:
    """Give a file of the working directory or of storage; None: there is no such stored file."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
        return
    try:
        opened = ctx.files.open(str(source))
    except NotFound:
        yield None
        return
    with opened:
        yield opened
