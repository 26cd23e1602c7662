"""What each script language brings: its image, how a program is called, what is said before."""

import pytest

from runner.plugins import dotnet, groovy, jbang, oldscripts, powershell
from runner.plugins.runner import Docker, DockerFields
from runner.registry import load
from runner.testing import FakeRunContext, FakeTaskRunner
from tests.unit.plugins.test_scripts import Faked

REGISTRY = load()
# language, image, start of the command that runs a program
LANGUAGES = [
    ("io.kestra.plugin.scripts.shell.Script", "ubuntu", ""),
    ("io.kestra.plugin.scripts.python.Script", "python:3.13-slim", "python "),
    ("io.kestra.plugin.scripts.node.Script", "node", "node {}/.headrace-script.js"),
    ("io.kestra.plugin.scripts.bun.Script", "oven/bun", "bun run {}/.headrace-script.ts"),
    ("io.kestra.plugin.scripts.deno.Script", "denoland/deno", "deno run {}/.headrace-script.ts"),
    ("io.kestra.plugin.scripts.go.Script", "golang", "go run {}/.headrace/script.go"),
    ("io.kestra.plugin.scripts.ruby.Script", "ruby", "ruby {}/.headrace-script.rb"),
    ("io.kestra.plugin.scripts.r.Script", "r-base", "Rscript {}/.headrace-script.R"),
    ("io.kestra.plugin.scripts.julia.Script", "julia", "julia {}/.headrace-script.jl"),
    ("io.kestra.plugin.scripts.perl.Script", "perl", "perl {}/.headrace-script.pl"),
    ("io.kestra.plugin.scripts.php.Script", "php", "php {}/.headrace-script.php"),
    ("io.kestra.plugin.scripts.lua.Script", "nickblah/lua", "lua {}/.headrace-script.lua"),
    ("io.kestra.plugin.scripts.groovy.Script", "groovy", "groovy {}/.headrace-script.groovy"),
    (
        "io.kestra.plugin.scripts.jbang.Script",
        "jbangdev/jbang-action",
        "jbang --quiet {}/.headrace-script.java",
    ),
    (
        "io.kestra.plugin.scripts.dotnet.Script",
        "mcr.microsoft.com/dotnet/sdk:10.0",
        "dotnet-script {}/.headrace-script.csx",
    ),
    (
        "io.kestra.plugin.scripts.powershell.Script",
        "ghcr.io/kestra-io/powershell:latest",
        "& '{}/.headrace-script.ps1'",
    ),
]


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(tmp_path)


def ran(task, ctx):
    task.run(ctx)
    return task.task_runner.fake.commands[0]


def faked():
    return Faked(fake=FakeTaskRunner())


@pytest.mark.parametrize(("name", "image", "call"), LANGUAGES)
def test_a_program_runs_as_its_language_wants(name, image, call, ctx):
    cls = REGISTRY.find(name)

    command = ran(cls(script="the program", task_runner=faked()), ctx)

    assert command.image == image
    assert call.format(ctx.working_dir) in command.argv[-1]


@pytest.mark.parametrize(("name", "image"), [(name, image) for name, image, _ in LANGUAGES])
def test_commands_of_a_language_run_in_its_image(name, image, ctx):
    cls = REGISTRY.find(name.replace(".Script", ".Commands"))

    command = ran(cls(commands=["one", "two"], task_runner=faked()), ctx)

    assert command.image == image
    assert command.argv[-1].endswith("one\ntwo")


def test_powershell_stops_at_the_first_error(ctx):
    command = ran(powershell.Commands(commands=["Get-Date"], task_runner=faked()), ctx)

    assert command.argv == [
        *("pwsh", "-NoProfile", "-NonInteractive", "-Command"),
        "$ErrorActionPreference = 'Stop'\nGet-Date",
    ]


def test_powershell_goes_on_without_fail_fast(ctx):
    task = powershell.Commands(commands=["Get-Date"], fail_fast=False, task_runner=faked())

    assert ran(task, ctx).argv[-1] == "Get-Date"


def test_dotnet_installs_its_tool_unless_other_commands_come_before(ctx, tmp_path):
    assert "tool install" in ran(dotnet.Script(script="1", task_runner=faked()), ctx).argv[-1]

    own = dotnet.Script(script="1", before_commands=["true"], task_runner=faked())

    assert "tool install" not in ran(own, ctx).argv[-1]


@pytest.mark.parametrize(("named", "user"), [(None, "root"), ("1000", "1000")])
def test_groovy_is_root_in_its_container_unless_the_flow_names_a_user(ctx, named, user):
    task = groovy.Script(script="1", task_runner=Docker(user=named))

    runner, _ = task._chosen(ctx)

    assert runner.user == user


def test_jbang_may_talk_and_run_other_languages(ctx):
    task = jbang.Script(script="1", quiet=False, file_extension=".kt", task_runner=faked())

    assert f"jbang {ctx.working_dir}/.headrace-script.kt" in ran(task, ctx).argv[-1]


def test_old_docker_options_give_image_and_container(ctx):
    docker = oldscripts.OldDocker(image="alpine", network_mode="none", pull_image=False)
    task = oldscripts.Bash(commands=["true"], runner="DOCKER", docker_options=docker)

    runner, image = task._chosen(ctx)

    assert (runner.network_mode, image) == ("none", "alpine")
    assert isinstance(docker, DockerFields)


def test_old_python_runs_main_with_its_requirements(ctx):
    command = ran(oldscripts.Python(requirements=["pandas"], task_runner=faked()), ctx)

    assert command.argv[-1].endswith("./bin/python main.py")
    assert "pandas" in command.argv[-1]


def test_old_node_runs_main(ctx):
    assert ran(oldscripts.Node(task_runner=faked()), ctx).argv[-1].endswith("node main.js")


def test_old_bash_goes_on_after_failures_if_told_so(ctx):
    task = oldscripts.Bash(commands=["false"], exit_on_failed=False, task_runner=faked())

    assert ran(task, ctx).argv[-1] == "false"
