import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.model.logs import Level
from runner.plugin import TaskError, TaskStopped
from runner.plugins import perl, powershell, python, shell
from runner.plugins.runner import Docker, Process, RunnerType
from runner.testing import FakeRunContext, FakeTaskRunner, Metric


class Faked(RunnerType):
    """A runner that plays the command."""

    needs_image = True
    fake: Any = None

    def create(self, ctx):
        return self.fake


def a_script(script="true", fake=None, cls=shell.Script, **fields):
    return cls(script=script, task_runner=Faked(fake=fake or FakeTaskRunner()), **fields)


def commands(*lines, fake=None, cls=shell.Commands, **fields):
    return cls(commands=list(lines), task_runner=Faked(fake=fake or FakeTaskRunner()), **fields)


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(tmp_path, variables={"inputs": {"name": "Ada"}})


def run(task, ctx):
    """Run a task and return the command that its fake runner was given."""
    task.run(ctx)
    return task.task_runner.fake.commands[0]


# --- the command line -------------------------------------------------------------------------


def test_the_commands_are_one_argument_of_the_interpreter(ctx):
    task = commands("echo {{ inputs.name }}", "echo b", before_commands=["echo first"])

    assert run(task, ctx).argv == ["/bin/sh", "-c", "set -e\necho first\necho Ada\necho b"]


def test_without_fail_fast_nothing_is_put_before(ctx):
    assert run(a_script("a\nb", fail_fast=False), ctx).argv[-1] == "a\nb"


def test_an_interpreter_that_is_no_shell_gets_the_text_alone(ctx):
    task = a_script("print(1)", interpreter=["python3", "-c"])

    assert run(task, ctx).argv == ["python3", "-c", "print(1)"]


def test_commands_may_come_from_an_expression(tmp_path):
    ctx = FakeRunContext(tmp_path, variables={"inputs": {"list": ["a", "b"]}})
    task = shell.Commands(commands="{{ inputs.list }}", task_runner=Faked(fake=FakeTaskRunner()))

    assert run(task, ctx).argv[-1] == "set -e\na\nb"


@pytest.mark.parametrize(
    ("interpreter", "first"),
    [
        (["/bin/bash", "-c"], "set -e"),
        (["/usr/bin/env", "bash", "-c"], "set -e"),
        (["busybox", "sh", "-c"], "set -e"),
        (["python3", "-c"], "true"),
        (["ssh", "host", "sh", "-c"], "true"),
    ],
)
def test_only_a_shell_of_this_place_gets_our_own_lines(ctx, interpreter, first):
    assert run(commands("true", interpreter=interpreter), ctx).argv[-1].split("\n")[0] == first


def test_foreign_line_ends_become_those_of_the_target(ctx):
    assert run(a_script("a\r\nb\r\n"), ctx).argv[-1] == "set -e\na\nb\n"

    run(a_script("a\r\nb", cls=perl.Script), ctx)
    assert (ctx.working_dir / ".headrace-script.pl").read_bytes() == b"a\nb"

    run(a_script("a\r\nb", cls=perl.Script, target_os="WINDOWS"), ctx)
    assert (ctx.working_dir / ".headrace-script.pl").read_bytes() == b"a\r\nb"


def test_an_interpreter_that_cannot_source_gets_a_secret_all_the_same(ctx):
    task = commands("secret-word", interpreter=["python3", "-c"])

    assert run(task, ctx).argv[-1] == "secret-word"


def test_powershell_keeps_a_secret_in_a_file(ctx):
    command = run(commands("login secret-word", cls=powershell.Commands), ctx)

    assert command.argv == [
        *("pwsh", "-NoProfile", "-NonInteractive", "-Command"),
        f". '{ctx.working_dir}/.headrace/commands.ps1'",
    ]
    text = (ctx.working_dir / ".headrace/commands.ps1").read_text()
    assert text == "$ErrorActionPreference = 'Stop'\nlogin secret-word"


@pytest.mark.parametrize("line", ["[ -f x ] && echo hi", "{ echo a; }", "5", '"quoted" word'])
def test_a_text_that_is_no_list_is_one_command(ctx, line):
    task = shell.Commands(commands=line, task_runner=Faked(fake=FakeTaskRunner()))

    assert run(task, ctx).argv[-1] == f"set -e\n{line}"


def test_a_secret_does_not_become_an_argument(ctx):
    command = run(commands("login secret-word"), ctx)

    assert not any("secret-word" in argument for argument in command.argv)
    assert "secret-word" in (command.working_dir / ".headrace" / "commands.sh").read_text()


def test_outputs_in_a_line_that_is_too_long_fail_the_task(ctx):
    line = '::{"outputs":{"x":"' + "b" * 2_200_000
    with pytest.raises(TaskError, match="outputFiles"):
        run(commands("true", fake=FakeTaskRunner(lines=[(line, False)])), ctx)


def test_what_is_too_long_for_an_argument_goes_through_a_file(ctx):
    command = run(a_script("x" * 200_000), ctx)

    assert command.argv[-1] == f". {ctx.working_dir}/.headrace/commands.sh"
    assert (ctx.working_dir / ".headrace/commands.sh").read_text() == "set -e\n" + "x" * 200_000


def test_lines_are_separated_as_the_target_wants(ctx):
    assert run(commands("a", "b", target_os="WINDOWS", fail_fast=False), ctx).argv[-1] == "a\r\nb"


def test_expressions_know_the_working_directory_and_the_output_files(ctx):
    task = commands("cd {{ workingDir }}", "touch {{ outputFiles['a'] }}", output_files=["a", "*"])

    text = run(task, ctx).argv[-1]

    assert text == f"set -e\ncd {ctx.working_dir}\ntouch {ctx.working_dir}/a"


def test_the_environment_is_the_flows_and_the_places(ctx):
    command = run(a_script(env={"A": "1", "B": None}, output_directory=True), ctx)

    assert command.env == {
        "A": "1",
        "B": "",
        "WORKING_DIR": str(ctx.working_dir),
        "OUTPUT_DIR": f"{ctx.working_dir}/.headrace/outputs",
    }


def test_the_container_is_labelled_as_kestra_does_and_as_ours(ctx):
    command = run(a_script(), ctx)

    assert command.labels["kestra.io/taskrun-id"] == "run1"
    assert command.labels["headrace.task-run"] == "run1"
    assert command.labels["headrace.attempt"] == "0"


# --- files ------------------------------------------------------------------------------------


def test_input_files_are_texts_and_copies_of_stored_files(tmp_path):
    ctx = FakeRunContext(
        tmp_path,
        variables={"inputs": {"file": "kestra:///a/b.csv"}},
        files={"kestra:///a/b.csv": b"x,y"},
    )
    files = {"sub/t.txt": "hi {{ inputs.file }}", "d.csv": "{{ inputs.file }}", "no": None}

    run(a_script(input_files=files), ctx)

    assert (ctx.working_dir / "sub/t.txt").read_text() == "hi kestra:///a/b.csv"
    assert (ctx.working_dir / "d.csv").read_bytes() == b"x,y"
    assert not (ctx.working_dir / "no").exists()


def test_input_files_may_be_a_json_text(tmp_path):
    ctx = FakeRunContext(tmp_path, variables={"files": '{"a.txt": "one"}'})

    run(a_script(input_files="{{ files }}"), ctx)

    assert (ctx.working_dir / "a.txt").read_text() == "one"


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "", ".", "a/", "a\0b"])
def test_an_input_file_never_lies_outside(ctx, name):
    with pytest.raises(TaskError, match="no name of a file"):
        a_script(input_files={name: "x"}).run(ctx)


def test_an_input_file_may_be_named_in_other_ways(ctx):
    names = ["./a", "b//c", "{{ workingDir }}/d"]

    run(a_script(input_files=dict.fromkeys(names, "x")), ctx)

    assert all((ctx.working_dir / name).read_text() == "x" for name in ("a", "b/c", "d"))


def test_stored_files_in_the_text_become_local_paths(tmp_path):
    ctx = FakeRunContext(tmp_path, files={"kestra:///n/f/1-data.csv": b"x"})

    text = run(a_script("cat kestra:///n/f/1-data.csv kestra:///n/f/1-data.csv"), ctx).argv[-1]

    path = ctx.working_dir / ".headrace/files/0-1-data.csv"
    assert text == f"set -e\ncat {path} {path}"
    assert path.read_bytes() == b"x"


def test_output_files_are_stored_by_name_and_pattern(ctx):
    files = {"a.txt": b"1", "sub/b.csv": b"2", "sub/c.txt": b"3", ".headrace/x.csv": b"4"}
    task = a_script(fake=FakeTaskRunner(files=files), output_files=["a.txt", "sub/*.csv", "gone"])

    outputs = task.run(ctx)

    assert list(outputs.output_files) == ["a.txt", "sub/b.csv"]
    assert ctx.files.stored[outputs.output_files["sub/b.csv"]] == b"2"


def test_a_folder_as_output_file_is_told(ctx):
    fake = FakeTaskRunner(files={"sub/a.txt": b"1"})

    assert a_script(fake=fake, output_files=["sub/"]).run(ctx).output_files == {}
    assert ctx.log.messages(Level.WARN) == [
        "outputFiles: sub/ is a folder; write sub/** for the files in it"
    ]


def test_a_link_to_a_file_outside_is_no_output(ctx, tmp_path):
    (tmp_path / "secret").write_text("s")
    (ctx.working_dir / "link.txt").symlink_to(tmp_path / "secret")

    assert a_script(output_files=["*.txt"]).run(ctx).output_files == {}


def test_all_of_the_output_directory_is_kept_the_old_way(ctx):
    fake = FakeTaskRunner(files={".headrace/outputs/sub/a.txt": b"1"})

    outputs = a_script(fake=fake, output_directory=True).run(ctx)

    assert list(outputs.output_files) == ["sub/a.txt"]


def test_namespace_files_come_as_asked(tmp_path):
    ctx = FakeRunContext(
        tmp_path,
        namespace_files={"company.team": {"lib/a.py": b"a", "b.sql": b"b", "lib/c.py": b"c"}},
    )

    run(a_script(namespace_files={"include": ["lib/**"], "exclude": ["**/c.py"]}), ctx)

    assert (ctx.working_dir / "lib/a.py").read_bytes() == b"a"
    assert not (ctx.working_dir / "b.sql").exists()
    assert not (ctx.working_dir / "lib/c.py").exists()
    assert ctx.metrics[0] == Metric("namespacefiles.count", "counter", 1)
    assert ctx.log.messages()[0].startswith("Loaded 1 namespace files from 'company.team' in")


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("a.py", {"a.py", "sub/a.py"}),
        ("*.py", {"a.py", "sub/a.py"}),
        ("/a.py", {"a.py"}),
        ("/*.py", {"a.py"}),
        ("sub/**", {"sub/a.py", "sub/b.txt"}),
    ],
)
def test_patterns_of_namespace_files_begin_anywhere_unless_anchored(tmp_path, pattern, taken):
    names = ("a.py", "sub/a.py", "sub/b.txt")
    stored = {"company.team": dict.fromkeys(names, b"x")}
    ctx = FakeRunContext(tmp_path, namespace_files=stored)

    run(a_script(namespace_files={"include": [pattern]}), ctx)

    assert {name for name in names if (ctx.working_dir / name).exists()} == taken


def test_of_several_namespaces_the_last_wins(tmp_path):
    ctx = FakeRunContext(tmp_path, namespace_files={"a": {"f": b"a"}, "b": {"f": b"b"}})

    run(a_script(namespace_files={"namespaces": ["a", "b"]}), ctx)

    assert (ctx.working_dir / "f").read_bytes() == b"b"


def test_namespace_files_may_have_a_folder_each(tmp_path):
    ctx = FakeRunContext(tmp_path, namespace_files={"a": {"f": b"a"}, "b": {"f": b"b"}})
    options = {"namespaces": ["a", "b"], "folderPerNamespace": True}

    run(a_script(namespace_files=options), ctx)

    assert (ctx.working_dir / "a/f").read_bytes() == b"a"


def test_an_existing_file_is_kept_or_refused_when_asked(tmp_path):
    ctx = FakeRunContext(tmp_path, namespace_files={"company.team": {"f": b"new"}})
    (ctx.working_dir / "f").write_text("old")

    run(a_script(namespace_files={"ifExists": "IGNORE"}), ctx)

    assert (ctx.working_dir / "f").read_text() == "old"
    with pytest.raises(TaskError, match="f is in the working directory"):
        a_script(namespace_files={"ifExists": "FAIL"}).run(ctx)


# --- output -----------------------------------------------------------------------------------


def test_lines_are_logged_by_stream_and_counted(ctx):
    fake = FakeTaskRunner(lines=[("out", False), ("err", True), ("out2", False)])

    outputs = a_script(fake=fake).run(ctx)

    assert ctx.log.lines == [(Level.INFO, "out"), (Level.ERROR, "err"), (Level.INFO, "out2")]
    assert (outputs.std_out_line_count, outputs.std_err_line_count) == (2, 1)


def test_output_lines_are_merged_and_not_logged(ctx):
    fake = FakeTaskRunner(
        lines=[
            ('::{"outputs": {"a": 1, "b": {"c": [true]}}}::', False),
            (' ::{"outputs": {"a": 2}}:: ', True),
        ]
    )

    assert a_script(fake=fake).run(ctx).vars == {"a": 2, "b": {"c": [True]}}
    assert ctx.log.lines == []


def test_metrics_and_logs_of_the_protocol(ctx):
    line = (
        '::{"metrics": [{"name": "rows", "type": "counter", "value": 3, "tags": {"k": 1}},'
        '{"name": "took", "type": "timer", "value": "PT1.5S"}],'
        '"logs": [{"level": "WARNING", "message": "careful"}]}::'
    )

    a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx)

    assert ctx.metrics == [Metric("rows", "counter", 3, {"k": "1"}), Metric("took", "timer", 1.5)]
    assert ctx.log.lines == [(Level.WARN, "careful")]


@pytest.mark.parametrize(
    "line",
    [
        "::{nope}::",
        '::{"a":}::',
        '::{"outputs": {"a": NaN}}::',
        '::{"outputs": {"a": 1e999}}::',
        '::{"outputs": ["a"]}::',
        '::{"metrics": {"name": "x"}}::',
        '::{"logs": ["x"]}::',
        '::{"outputs": {"a": 1}}::::{"outputs": {"b": 1}}::',
        '::{"a":' + "[" * 100_000 + "]" * 100_000 + "}::",
    ],
    ids=range(9),
)
def test_invalid_output_lines_are_told(ctx, line):
    assert a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx).vars == {}
    assert "".join(ctx.log.messages(Level.WARN)).startswith(f"Invalid outputs '{line[:60_000]}")


def test_every_kind_of_value_comes_as_it_is(ctx):
    values = {
        "text": 'ü 🎈 "quoted" {{ x }}',
        "none": None,
        "yes": True,
        "whole": -(2**63),
        "fraction": 0.1,
        "list": [1, "a", None, []],
        "map": {"a": {"b": {}}},
    }
    line = "::" + json.dumps({"outputs": values}) + "::"

    assert a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx).vars == values


def test_what_no_database_keeps_is_made_storable(ctx):
    line = r'::{"outputs": {"a": "x\u0000y", "b\ud800": ["\udfff"], "n": 123456789012345678901}}::'

    assert a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx).vars == {
        "a": "x\ufffdy",
        "b\ufffd": ["\ufffd"],
        "n": "123456789012345678901",
    }


def test_an_output_that_holds_a_secret_is_told(ctx):
    line = '::{"outputs": {"a": 1, "b": {"c": "the secret-word"}}}::'

    assert a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx).vars["b"]
    [warning] = ctx.log.messages(Level.WARN)
    assert warning.startswith("The output b holds a secret")


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("TRACE", Level.TRACE),
        ("debug", Level.DEBUG),
        ("WARNING", Level.WARN),
        ("CRITICAL", Level.ERROR),
        (None, Level.INFO),
        ("odd", Level.INFO),
    ],
)
def test_levels_of_logs(ctx, level, shown):
    line = "::" + json.dumps({"logs": [{"level": level, "message": "m"}]}) + "::"

    a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx)

    assert ctx.log.lines == [(shown, "m")]


@pytest.mark.parametrize(
    "metric",
    [
        '{"name": "x", "type": "odd", "value": 1}',
        '{"type": "counter", "value": 1}',
        '{"name": "x", "type": "counter", "value": "inf"}',
        '{"name": "x", "type": "counter", "value": 1' + "0" * 400 + "}",
        '{"name": "x", "type": "counter", "value": true}',
        '{"name": "x", "type": "timer", "value": "soon"}',
    ],
    ids=range(6),
)
def test_an_invalid_metric_is_told(ctx, metric):
    line = f'::{{"metrics": [{metric}]}}::'

    a_script(fake=FakeTaskRunner(lines=[(line, False)])).run(ctx)

    assert ctx.metrics == []
    assert ctx.log.messages(Level.WARN)[0].startswith("Invalid metric")


def test_a_line_that_only_holds_the_protocol_is_a_line(ctx):
    a_script(fake=FakeTaskRunner(lines=[('see ::{"outputs": {"a": 1}}::', False)])).run(ctx)

    assert ctx.log.messages() == ['see ::{"outputs": {"a": 1}}::']


def test_a_failure_keeps_its_outputs(ctx):
    fake = FakeTaskRunner(
        lines=[('::{"outputs": {"a": 1}}::', False)], files={"a.txt": b"1"}, exit_code=7
    )

    with pytest.raises(TaskError, match=r"^Command failed with exit code 7$") as caught:
        a_script(fake=fake, output_files=["*.txt"]).run(ctx)

    outputs = caught.value.outputs
    assert outputs.vars == {"a": 1}
    assert outputs.exit_code == 7
    assert list(outputs.output_files) == ["a.txt"]
    assert outputs.task_runner is None


@pytest.mark.parametrize(
    ("code", "told"), [(126, "chmod"), (127, "install it in `beforeCommands`"), (137, "memory")]
)
def test_an_exit_code_that_speaks_is_explained(ctx, code, told):
    with pytest.raises(TaskError, match=rf"^Command failed with exit code {code}$"):
        a_script(fake=FakeTaskRunner(exit_code=code)).run(ctx)

    assert told in ctx.log.messages(Level.WARN)[0]


def test_what_the_runner_tells_is_an_output(ctx):
    assert a_script().run(ctx).task_runner == {"fake": True}


def test_what_cannot_start_fails_with_the_reason(ctx):
    with pytest.raises(TaskError, match="no engine"):
        a_script(fake=FakeTaskRunner(refusal="no engine")).run(ctx)


def test_a_stop_ends_the_command_and_is_no_failure(ctx):
    fake = FakeTaskRunner(until_stopped=True)
    ctx.stop()

    with pytest.raises(TaskStopped):
        a_script(fake=fake).run(ctx)


# --- which runner -----------------------------------------------------------------------------


def chosen(ctx, **fields):
    return shell.Script(script="x", **fields)._chosen(ctx)


def with_default(tmp_path, default):
    return FakeRunContext(tmp_path, settings={"task_runner.default": default})


def test_a_runner_that_is_named_is_taken(tmp_path):
    assert isinstance(chosen(with_default(tmp_path, "docker"), task_runner=Process())[0], Process)


def test_none_named_the_server_decides(tmp_path):
    assert isinstance(chosen(with_default(tmp_path, "docker"))[0], Docker)
    assert isinstance(chosen(with_default(tmp_path, "process"))[0], Process)


def test_only_an_image_without_docker_is_a_process_with_a_warning(tmp_path):
    ctx = with_default(tmp_path, "process")

    runner, _ = chosen(ctx, container_image="alpine")

    assert isinstance(runner, Process)
    assert "alpine" in ctx.log.messages(Level.WARN)[0]


def test_without_an_image_there_is_nothing_to_warn_of(tmp_path):
    ctx = with_default(tmp_path, "process")
    chosen(ctx)

    assert ctx.log.lines == []


def test_the_image_is_the_languages_unless_given(tmp_path):
    ctx = with_default(tmp_path, "docker")

    assert chosen(ctx)[1] == "ubuntu"
    assert chosen(ctx, docker={"image": "old"})[1] == "old"
    assert chosen(ctx, container_image="task")[1] == "task"


def test_the_image_named_nearest_to_the_container_wins(tmp_path):
    ctx = with_default(tmp_path, "docker")
    runner = Docker(image="runner")

    assert chosen(ctx, docker={"image": "old"}, container_image="task")[1] == "old"
    assert chosen(ctx, task_runner=runner, container_image="task")[1] == "runner"
    assert chosen(ctx, docker={"image": "old"}, task_runner=runner)[1] == "old"


def test_the_old_properties_still_choose(tmp_path):
    ctx = with_default(tmp_path, "process")

    assert isinstance(chosen(ctx, runner="PROCESS")[0], Process)
    runner, _ = chosen(ctx, runner="DOCKER", docker={"image": "x", "user": "1000"})
    assert runner == Docker(user="1000")


def test_the_old_block_wins_over_a_named_docker_runner(tmp_path):
    named = Docker(user="1", network_mode="none")

    runner, _ = chosen(with_default(tmp_path, "process"), task_runner=named, docker={"user": "2"})

    assert runner == Docker(user="2", network_mode="none")


def test_a_named_runner_wins_over_the_old_property(tmp_path):
    ctx = with_default(tmp_path, "docker")

    assert isinstance(chosen(ctx, runner="DOCKER", task_runner=Process())[0], Process)


# --- Python -----------------------------------------------------------------------------------


def test_a_python_program_is_a_file_that_reads_json_words(ctx):
    command = run(a_script("print({{ inputs.name }})", cls=python.Script), ctx)

    file = ctx.working_dir / ".headrace-script.py"
    assert file.read_text() == "true = True\nfalse = False\nnull = None\nprint(Ada)"
    assert command.argv[-1].splitlines()[-1] == f"python {file}"
    assert command.env["PYTHONUNBUFFERED"] == "true"


def test_a_program_that_imports_from_the_future_stays_as_it_is(ctx):
    text = "from __future__ import annotations\n"
    run(a_script(text, cls=python.Script), ctx)

    assert (ctx.working_dir / ".headrace-script.py").read_text() == text


def test_the_flows_variables_win_over_those_of_the_language(ctx):
    task = commands("python x.py", cls=python.Commands, env={"PYTHONUNBUFFERED": "0"})

    assert run(task, ctx).env["PYTHONUNBUFFERED"] == "0"


@pytest.mark.parametrize(("manager", "program"), [("UV", "uv pip install"), ("PIP", "-m pip inst")])
def test_dependencies_are_installed_first(ctx, manager, program):
    task = commands(
        "python x.py",
        cls=python.Commands,
        dependencies=["requests>=2", "a; b"],
        package_manager=manager,
    )

    lines = run(task, ctx).argv[-1].splitlines()

    [install] = [line for line in lines if "--target" in line]
    assert program in install
    assert "'requests>=2' 'a; b'" in install


def test_packages_of_a_shared_folder_are_apart_by_what_is_wanted_and_by_image(ctx):
    def folder(**given):
        task = commands("x", cls=python.Commands, **given)
        lines = run(task, ctx).argv[-1].splitlines()
        return next(line for line in lines if line.startswith("if [ ! -d "))

    once = folder(dependencies=["a"])

    assert folder(dependencies=["a"]) == once
    assert folder(dependencies=["a==2"]) != once
    assert folder(dependencies=["a"], container_image="python:3.12") != once


def test_tasks_that_share_a_folder_install_the_same_packages_once(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    pip = programs / "python"
    pip.write_text('#!/bin/sh\necho "$@" >> calls\nmkdir "$6"\nexit $(cat code)\n')
    pip.chmod(0o755)
    task = commands("x", cls=python.Commands, dependencies=["a"], package_manager="PIP")
    text = "\n".join(["set -e", *task._install_once(str(tmp_path / "packages")), "echo >> after"])

    def installed(code):
        (tmp_path / "code").write_text(code)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(["/bin/sh", "-c", text], cwd=tmp_path, env=environment, check=False)
        return done.returncode, len((tmp_path / "calls").read_text().splitlines())

    assert installed("3") == (3, 1)
    assert not (tmp_path / "after").exists()
    assert installed("0") == (0, 2)
    assert installed("0") == (0, 2)


def test_uv_chooses_for_the_version_that_is_asked_for(ctx):
    task = commands(
        "x",
        cls=python.Commands,
        dependencies=["a"],
        python_version="3.11",
        uv_auto_install_enabled=False,
    )

    [install] = [line for line in run(task, ctx).argv[-1].splitlines() if "--target" in line]
    assert install.startswith("uv pip install")
    assert "--python-version 3.11" in install


def test_a_version_of_uv_that_is_asked_for_is_installed_where_there_is_none(ctx):
    task = commands("x", cls=python.Commands, dependencies=["a"], uv_installer_version="0.9.1")

    lines = run(task, ctx).argv[-1].splitlines()

    [first] = [line for line in lines if "uv==0.9.1" in line]
    assert first.startswith("command -v uv >/dev/null || { python -m pip install")
    assert lines[lines.index(first) + 1].startswith("uv pip install")


def test_the_module_for_scripts_needs_nothing_of_ours():
    text = Path(python.__file__).with_name("_kestra.py").read_text()

    assert "import runner" not in text
    assert "from runner" not in text


# --- packages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ("pip install pandas", True),
        ("python -m pip install -r requirements.txt", True),
        ("uv pip install x", True),
        ("npm ci", True),
        ("uv run main.py", True),
        ("npx tsc", True),
        ("go run main.go", True),
        ("deno run -A main.ts", True),
        ("echo let it go", False),
        ("echo install", False),
    ],
)
def test_packages_are_kept_for_commands_that_install_some(line, is_kept, tmp_path):
    ctx = FakeRunContext(tmp_path, settings={"docker.package_cache": True})

    command = run(commands(line, container_image="python:3"), ctx)

    assert (command.cache is not None) is is_kept
    assert ("PIP_CACHE_DIR=" in command.argv[-1]) is is_kept
    assert command.argv[-1].endswith(line)


def test_packages_are_kept_also_where_the_commands_are_a_file(tmp_path):
    ctx = FakeRunContext(tmp_path, settings={"docker.package_cache": True})
    task = commands("pip install secret-word", container_image="python:3")

    command = run(task, ctx)

    assert command.cache is not None
    text = (ctx.working_dir / ".headrace/commands.sh").read_text()
    assert "PIP_CACHE_DIR=" in text.splitlines()[0]


def test_packages_are_kept_apart_by_image_and_only_if_that_is_on(tmp_path):
    on = FakeRunContext(tmp_path / "on", settings={"docker.package_cache": True})
    off = FakeRunContext(tmp_path / "off", settings={"docker.package_cache": False})
    task = commands("pip install x", container_image="python:3")

    first, second = run(task, on), run(commands("pip install x", container_image="other"), on)

    assert first.cache != second.cache
    assert run(commands("pip install x"), off).cache is None
