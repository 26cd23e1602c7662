"""WorkingDirectory: several tasks in one folder, on one worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, cast
from zipfile import ZipFile

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from runner.model.flow import TaskKind
from runner.plugin import Fixed, Read, RunContext, Task
from runner.plugins import _globs
from runner.plugins._workspace import HIDDEN, NamespaceFilesOptions, Workspace

_ARCHIVE = f"{HIDDEN}-cache.zip"


class DirectoryContext(RunContext, Protocol):
    """What a directory's attempt may do besides."""

    def run_children(self) -> bool:
        """Run the tasks, one after another, in the working directory; False: one has failed."""

    def fetch_cache(self, ttl: timedelta | None, into: Path) -> bool:
        """Copy the archive of an earlier run, if there is one that is not older than *ttl*."""

    def store_cache(self, archive: Path) -> None:
        """Keep an archive for later runs."""


class _Here:
    """Commands see the folder where it is."""

    def workdir(self, folder: Path) -> str:
        return str(folder)


class Cache(BaseModel):
    """Files that are kept from one run of the task to the next."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    patterns: list[str] = Field(default=[], description="which files")
    ttl: timedelta | None = Field(default=None, description="how long; default: for ever")


class WorkingDirectory(Task):
    """Run tasks one after another in the same folder, on one worker.

    Example:
        - id: build
          type: io.kestra.plugin.core.flow.WorkingDirectory
          inputFiles:
            hello.txt: Hello
          tasks:
            - id: show
              type: io.kestra.plugin.scripts.shell.Commands
              commands: [cat hello.txt]
    """

    kind = TaskKind.WORKER
    aliases = ("io.kestra.core.tasks.flows.WorkingDirectory", "io.kestra.core.tasks.flows.Worker")
    lists = ("tasks", "errors", "finally")
    needs: ClassVar = ((("tasks",), "The 'tasks' property cannot be empty"),)
    has_timeout: ClassVar = False
    takes_runnable: ClassVar = True

    type: Literal["io.kestra.plugin.core.flow.WorkingDirectory"] = (
        "io.kestra.plugin.core.flow.WorkingDirectory"
    )
    input_files: Annotated[dict[str, Any] | str, Read.ASKED] = Field(
        default={}, description="file name → content, or URI of a stored file"
    )
    output_files: list[str] = Field(default=[], description="patterns of files to store at the end")
    namespace_files: Annotated[NamespaceFilesOptions, Fixed()] = Field(
        default=NamespaceFilesOptions(enabled=False), description="namespace files to put in"
    )
    cache: Annotated[Cache | None, Fixed()] = Field(
        default=None, description="files to keep for later runs"
    )

    class Outputs(Task.Outputs):
        output_files: Mapping[str, str] | None = Field(
            default=None, description="file name → URI, if there are any"
        )

    def run(self, ctx: RunContext) -> Outputs:
        inside = cast(DirectoryContext, ctx)
        workspace = Workspace(ctx, cast(Any, _Here()))
        workspace.put_namespace_files(self.namespace_files)
        workspace.put_inputs(self.input_files)
        restored = self._restore(inside)
        if not inside.run_children():
            return self.Outputs()
        if self.cache is not None:
            self._keep(inside, self.cache, restored)
        return self.Outputs(output_files=workspace.outputs(self.output_files) or None)

    def _restore(self, ctx: DirectoryContext) -> Mapping[str, tuple[int, int]]:
        """Unpack the archive; return what the cached files look like after that."""
        if self.cache is None:
            return {}
        archive = ctx.working_dir / _ARCHIVE
        if ctx.fetch_cache(self.cache.ttl, archive):
            with ZipFile(archive) as packed:
                packed.extractall(ctx.working_dir)
            archive.unlink()
        return _looks(ctx.working_dir, self.cache.patterns)

    def _keep(
        self, ctx: DirectoryContext, cache: Cache, restored: Mapping[str, tuple[int, int]]
    ) -> None:
        found = _looks(ctx.working_dir, cache.patterns)
        if not found or found == restored:
            return
        archive = ctx.working_dir / _ARCHIVE
        with ZipFile(archive, "w") as packed:
            for name in found:
                packed.write(ctx.working_dir / name, name)
        ctx.store_cache(archive)
        archive.unlink()


def _looks(folder: Path, patterns: list[str]) -> dict[str, tuple[int, int]]:
    """Return size and time of the plain files that fit a pattern."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        name: (stat.st_size, stat.st_mtime_ns)
        for name in names
        if not name.startswith(HIDDEN)
        and any(_globs.matches(name, one) for one in patterns)
        and (stat := (folder / name).stat())
    }
