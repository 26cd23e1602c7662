"""What all script tasks share: files in, one command line, its output read, files out.

The specification is the script contract of Kestra's script plugins. A language is a pair of
subclasses of `Script` and `Commands`, with its image and how a program is called.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from runner.model.logs import Level
from runner.plugin import Fixed, Read, RunContext, Task, TaskError, TaskStopped
from runner.plugins._protocol import ScriptOutput
from runner.plugins._workspace import HIDDEN, NamespaceFilesOptions, Workspace
from runner.plugins.runner import Docker, DockerFields, Process, RunnerType
from runner.taskrunners.base import (
    ATTEMPT_LABEL,
    CACHE_FOLDER,
    TASK_RUN_LABEL,
    CannotRun,
    Command,
    Ended,
    TaskRunner,
)

_INSTALLS = re.compile(
    r"\b(?:pip3?|uv|npm|yarn|pnpm|poetry|bun)\b[^\n]*\b(?:install|add|sync|ci)\b"
    r"|\b(?:npx|uvx|bunx|jbang|uv +run|bun +run|deno +run)\b"
    r"|\bgo +(?:run|build|get|install|mod|test)\b"
)
_CACHES = {  # variable that names a cache to its folder in ours
    "PIP_CACHE_DIR": "pip",
    "UV_CACHE_DIR": "uv",
    "npm_config_cache": "npm",
    "YARN_CACHE_FOLDER": "yarn",
    "POETRY_CACHE_DIR": "poetry",
    "BUN_INSTALL_CACHE_DIR": "bun",
    "DENO_DIR": "deno",
    "JBANG_CACHE_DIR": "jbang",
    "GOMODCACHE": "go-modules",
    "GOCACHE": "go-build",
}
_USE_CACHE = (  # a user who may not write there does without
    f"if [ -w {CACHE_FOLDER} ]; then export UV_LINK_MODE=copy "
    + " ".join(f"{name}={CACHE_FOLDER}/{folder}" for name, folder in _CACHES.items())
    + "; fi"
)
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh"}
_STARTERS = {"env", "busybox", "nice", "sudo", "tini"}  # programs that start the one named next
_HINTS = {
    126: "A file could not be run: make it executable (chmod +x), or call what runs it (sh FILE)",
    127: "A command was not found: {where}",
    137: "The command was killed from outside, often because memory was short",
}
_MAX_ARGUMENT_BYTES = 100_000  # Linux takes 128 KiB for one
_MAX_LABEL_CHARS = 63


class ScriptTask(Task):
    """Base of script tasks."""

    image: ClassVar[str]  # of the language, when none is given
    container_user: ClassVar[str | None] = None  # unless the flow names one
    deprecated = {
        "runner": "'runner' is deprecated: use 'taskRunner'",
        "docker": "'docker' is deprecated: use 'taskRunner' and 'containerImage'",
        "outputDirectory": "'outputDirectory' is deprecated: use 'outputFiles'",
        "warningOnStdErr": "'warningOnStdErr' is deprecated and has no effect",
    }

    task_runner: Annotated[RunnerType | None, Fixed()] = Field(
        default=None, description="where the command runs; default: as the server is set up"
    )
    container_image: str | None = Field(default=None, description="image, for container runners")
    before_commands: Annotated[list[str] | str | None, Read.ASKED] = Field(
        default=None, description="commands to run first, in the same shell"
    )
    interpreter: list[str] = Field(
        default=["/bin/sh", "-c"], description="program that gets the commands as one argument"
    )
    env: dict[str, str | None] = Field(default={}, description="environment variables")
    input_files: Annotated[JsonValue, Read.ASKED] = Field(
        default=None, description="file name to text or URI, as a map or a JSON text"
    )
    output_files: list[str] = Field(default=[], description="names or patterns of files to keep")
    namespace_files: Annotated[NamespaceFilesOptions | None, Fixed()] = Field(
        default=None, description="namespace files to put into the working directory"
    )
    fail_fast: bool = Field(default=True, description="end at the first command that fails")
    target_os: Literal["LINUX", "WINDOWS", "AUTO"] = Field(
        default="AUTO", alias="targetOS", description="decides the line separator"
    )
    warning_on_std_err: bool | None = Field(default=None, description="has no effect any more")
    runner: Literal["PROCESS", "DOCKER"] | None = Field(
        default=None, description="old form of taskRunner"
    )
    docker: Annotated[DockerFields | None, Fixed()] = Field(
        default=None, description="old form of taskRunner"
    )
    output_directory: bool = Field(
        default=False, description="keep all files of {{ outputDir }}, the old way"
    )

    class Outputs(Task.Outputs):
        """What a script gives."""

        vars: dict[str, JsonValue] = Field(default={}, description="what ::{…}:: lines gave")
        exit_code: int = Field(default=0, description="exit code of the command")
        output_files: dict[str, str] = Field(
            default={}, description="path to URI of the stored file"
        )
        std_out_line_count: int = Field(default=0, description="lines on standard output")
        std_err_line_count: int = Field(default=0, description="lines on standard error")
        task_runner: dict[str, JsonValue] | None = Field(
            default=None, description="what the task runner tells, such as containerId"
        )

    def run(self, ctx: RunContext) -> Outputs:
        chosen, image = self._chosen(ctx)
        runner = chosen.create(ctx)
        space = Workspace(ctx, runner)
        command = self._command(ctx, space, image if chosen.needs_image else None)
        output = ScriptOutput(ctx)
        ended = _run(ctx, runner, command, output)
        if ended.stopped:
            raise TaskStopped
        outputs = self._outputs(space, ended, output)
        _warn_of_secrets(ctx, outputs.vars)
        if ended.exit_code == 0 and output.fault:
            raise TaskError(output.fault, outputs=outputs.model_copy(update={"task_runner": None}))
        if ended.exit_code != 0:
            self._hint(ctx, ended, in_container=chosen.needs_image)
            raise TaskError(
                f"Command failed with exit code {outputs.exit_code}",
                outputs=outputs.model_copy(update={"task_runner": None}),
            )
        return outputs

    def _hint(self, ctx: RunContext, ended: Ended, *, in_container: bool) -> None:
        """Say in the log what an exit code that speaks for itself means, and what to do."""
        where = (
            "install it in `beforeCommands`, or name a `containerImage` that has it"
            if in_container
            else "install it on the worker, or run the task in a container that has it"
        )
        if hint := ended.reason or _HINTS.get(ended.exit_code or 0):
            ctx.log.write(Level.WARN, hint.format(where=where))

    def program(self, ctx: RunContext, space: Workspace, extra: Mapping[str, Any]) -> list[str]:
        """Return the lines of shell that do the task's work, rendered."""
        raise NotImplementedError

    def prelude(self, space: Workspace) -> list[str]:
        """Return lines of shell that come before all of the flow's own."""
        return []

    def environment(self) -> Mapping[str, str]:
        """Return variables of the language; those of the flow win."""
        return {}

    @property
    def strict(self) -> list[str]:
        """Lines that make the interpreter end at the first command that fails."""
        return ["set -e"] if self.is_shell else []

    @property
    def is_shell(self) -> bool:
        """Whether the interpreter understands lines of shell of ours."""
        names = [PurePosixPath(word).name for word in self.interpreter]
        return names[:1] != [] and (
            names[0] in _SHELLS or (names[0] in _STARTERS and not _SHELLS.isdisjoint(names))
        )

    def sourcing(self, ctx: RunContext, space: Workspace, text: str) -> str | None:
        """Write the commands to a file and return what runs it in place; None: it cannot."""
        if not self.is_shell:
            return None
        file = space.write(f"{HIDDEN}/commands.sh", text)
        return f". {shlex.quote(space.seen_as(file))}"

    # --- which runner -----------------------------------------------------------------------

    def _chosen(self, ctx: RunContext) -> tuple[RunnerType, str]:
        """Return the runner and the image; an image that is named nearest to the container wins."""
        old = self.old_docker.image if self.old_docker else None
        named = self.task_runner.own_image if self.task_runner else None
        given = old or named or self.container_image
        return self._as_user(self._runner(ctx, given)), given or self.image

    def _as_user(self, runner: RunnerType) -> RunnerType:
        if not isinstance(runner, Docker) or runner.user is not None:
            return runner
        return runner.model_copy(update={"user": self.container_user})

    def _runner(self, ctx: RunContext, image: str | None) -> RunnerType:
        if isinstance(self.task_runner, Docker):
            return self._with_old(self.task_runner)
        if self.task_runner is not None:
            return self.task_runner
        if self.runner == "PROCESS":
            return Process()
        if self.runner == "DOCKER" or ctx.setting("task_runner.default") == "docker":
            return self._with_old(Docker())
        if image or self.old_docker:
            ctx.log.write(
                Level.WARN,
                f"There is no Docker engine: this runs as a process of the worker, not in the "
                f"image {image or self.image}",
            )
        return Process()

    def _with_old(self, runner: Docker) -> RunnerType:
        """Return the runner with what ``docker`` says besides; that wins."""
        old = self.old_docker
        if old is None:
            return runner
        given = (old.model_fields_set & set(Docker.model_fields)) - {"image"}
        return runner.model_copy(update={name: getattr(old, name) for name in given})

    @property
    def old_docker(self) -> DockerFields | None:
        """What is said about the container the old way."""
        return self.docker

    # --- the command ------------------------------------------------------------------------

    def _command(self, ctx: RunContext, space: Workspace, image: str | None) -> Command:
        if self._has_output_dir:
            space.output_dir.mkdir(parents=True, exist_ok=True)
        if self.namespace_files is not None:
            space.put_namespace_files(self.namespace_files)
        extra = self._variables(space)
        space.put_inputs(self.input_files, extra)
        lines = self._lines(ctx, space, extra)
        cache = self._cache(ctx, image, lines)
        if cache is not None:
            lines = [_USE_CACHE, *lines]
        return Command(
            argv=[*self.interpreter, self._argument(ctx, space, lines)],
            cache=cache,
            working_dir=space.folder,
            env=self._env(space),
            image=image,
            labels=labels(ctx),
            outputs=bool(self.output_files) or self._has_output_dir,
        )

    def _cache(self, ctx: RunContext, image: str | None, lines: Iterable[str]) -> str | None:
        """Return the volume of packages for a container whose commands install some."""
        is_wanted = image is not None and self.is_shell and any(map(_INSTALLS.search, lines))
        if not is_wanted or not ctx.setting("docker.package_cache"):
            return None
        subject = f"{ctx.identity.namespace}\0{image}"
        return f"headrace-cache-{sha256(subject.encode()).hexdigest()[:16]}"

    @property
    def _has_output_dir(self) -> bool:
        return self.output_directory or self.runner is not None

    def _variables(self, space: Workspace) -> dict[str, Any]:
        """Return what expressions of the script may use beside the usual."""
        variables: dict[str, Any] = {
            "workingDir": space.seen,
            "outputFiles": {name: f"{space.seen}/{name}" for name in self._plain_outputs()},
        }
        if self._has_output_dir:
            variables["outputDir"] = space.seen_as(space.output_dir)
        return variables

    def _plain_outputs(self) -> list[str]:
        return [name for name in self.output_files if not re.search(r"[*?{\[]", name)]

    def _lines(self, ctx: RunContext, space: Workspace, extra: Mapping[str, Any]) -> list[str]:
        lines = list(self.strict) if self.fail_fast else []
        lines += self.prelude(space)
        lines += rendered_lines(ctx, space, self.before_commands, extra)
        return [*lines, *self.program(ctx, space, extra)]

    def _argument(self, ctx: RunContext, space: Workspace, lines: Iterable[str]) -> str:
        """Return the commands as one text; what is too long or too secret is kept in a file."""
        text = self.with_line_ends("\n".join(lines))
        is_too_long = len(text.encode()) > _MAX_ARGUMENT_BYTES
        if is_too_long or ctx.holds_secret(text):
            return self.sourcing(ctx, space, text) or text
        return text

    def with_line_ends(self, text: str) -> str:
        """Return a text with the line ends of the target: a shell trips over foreign ones."""
        text = text.replace("\r\n", "\n")
        return text.replace("\n", "\r\n") if self.target_os == "WINDOWS" else text

    def _env(self, space: Workspace) -> dict[str, str]:
        given = {name: value or "" for name, value in self.env.items()}
        env = {**self.environment(), **given, "WORKING_DIR": space.seen}
        if self._has_output_dir:
            env["OUTPUT_DIR"] = space.seen_as(space.output_dir)
        return env

    # --- the outputs ------------------------------------------------------------------------

    def _outputs(self, space: Workspace, ended: Ended, output: ScriptOutput) -> Outputs:
        files = space.outputs(self.output_files) if self.output_files else {}
        if self._has_output_dir:
            files |= space.output_dir_files()
        return ScriptTask.Outputs(
            vars=output.vars,
            exit_code=-1 if ended.exit_code is None else ended.exit_code,
            output_files=files,
            std_out_line_count=output.counts[False],
            std_err_line_count=output.counts[True],
            task_runner=dict(ended.details) or None,
        )


class Commands(ScriptTask):
    """Base of the ``Commands`` types."""

    commands: Annotated[list[str] | str, Read.ASKED] = Field(
        description="commands, run one after another in one shell"
    )

    def program(self, ctx: RunContext, space: Workspace, extra: Mapping[str, Any]) -> list[str]:
        return rendered_lines(ctx, space, self.commands, extra)


class Script(ScriptTask):
    """Base of the ``Script`` types: the program goes into a file, and *call* runs it."""

    call: ClassVar[str] = ""
    extension: ClassVar[str] = ""
    file_name: ClassVar[str] = f"{HIDDEN}-script"  # beside what it imports

    script: Annotated[str, Read.ASKED] = Field(description="the program")

    def program(self, ctx: RunContext, space: Workspace, extra: Mapping[str, Any]) -> list[str]:
        text = space.localize(str(ctx.render(self.script, extra=extra)))
        source = self.with_line_ends(self.source(text))
        file = space.write(f"{self.file_name}{self.suffix}", source)
        return [self.called(space.seen_as(file))]

    def called(self, path: str) -> str:
        """Return the command that runs the program's file."""
        return f"{self.caller} {shlex.quote(path)}"

    @property
    def caller(self) -> str:
        """What runs a program's file."""
        return self.call

    @property
    def suffix(self) -> str:
        """End of the name of the program's file."""
        return self.extension

    def source(self, text: str) -> str:
        """Return the file's content for the rendered program."""
        return text


def rendered_lines(
    ctx: RunContext,
    space: Workspace,
    commands: Sequence[str] | str | None,
    extra: Mapping[str, Any],
) -> list[str]:
    """Render commands, with the stored files in them as local copies."""
    rendered = ctx.render(commands, typed=isinstance(commands, str), extra=extra)  # type: ignore[arg-type]
    if isinstance(rendered, str):
        rendered = _listed(rendered)
    return [space.localize(str(line)) for line in rendered or ()]


def _listed(text: str) -> list[Any]:
    """Return the list that is meant by a text: its JSON, or one command (``[ -f x ] && …``)."""
    try:
        value = json.loads(text)
    except ValueError:
        return [text]
    return value if isinstance(value, list) else [text]


def labels(ctx: RunContext) -> dict[str, str]:
    """Return the labels of an attempt's container: ours to find it again, Kestra's to read."""
    who = ctx.identity
    told = {
        "namespace": who.namespace,
        "flow-id": who.flow_id,
        "task-id": who.task_id,
        "execution-id": who.execution_id,
        "taskrun-id": who.task_run_id,
        "taskrun-attempt": str(who.attempt),
    }
    short = {
        f"kestra.io/{name}": value[:_MAX_LABEL_CHARS].rstrip("-._") for name, value in told.items()
    }
    return {**short, TASK_RUN_LABEL: who.task_run_id, ATTEMPT_LABEL: str(who.attempt)}


def _warn_of_secrets(ctx: RunContext, given: Mapping[str, Any]) -> None:
    """Say which outputs hold a secret: the log masks them, but who reads the API sees them."""
    for name, value in given.items():
        if ctx.holds_secret(json.dumps(value, ensure_ascii=False)):
            ctx.log.write(
                Level.WARN,
                f"The output {name} holds a secret, which everybody reads who may read this "
                "execution: let the tasks that need it call secret() themselves",
            )


def _run(ctx: RunContext, runner: TaskRunner, command: Command, output: ScriptOutput) -> Ended:
    try:
        with ctx.on_stop(runner.stop):
            return runner.run(command, output, ctx.spawn_marker)
    except CannotRun as exc:
        raise TaskError(exc.message) from exc
