"""Script tasks as a flow has them, in real processes and containers."""

import threading
import time

import pytest

from runner.model.flow import Task, TaskKind
from runner.model.logs import Level
from runner.plugin import TaskError, TaskStopped
from runner.registry import load
from runner.testing import FakeRunContext

PROCESS = {"type": "io.kestra.plugin.core.runner.Process"}
DOCKER = {"type": "io.kestra.plugin.scripts.runner.docker.Docker", "pullPolicy": "NEVER"}
TEXT = "ü 🎈 $HOME `id` \"q\" 'q' \\ {{ x }}\ttab\r\n" + "y" * 20_000


@pytest.fixture(scope="module")
def registry():
    return load()


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(
        tmp_path,
        variables={"inputs": {"name": "Ada", "file": "kestra:///in.csv", "text": TEXT}},
        files={"kestra:///in.csv": b"1,2\n"},
        namespace_files={"company.team": {"lib/greet.py": b"def greet(who): return 'Hi ' + who\n"}},
    )


@pytest.fixture(params=["process", "docker"])
def where(request):
    if request.param == "process":
        return {"taskRunner": PROCESS}
    image = request.getfixturevalue("python_image")
    return {"taskRunner": DOCKER, "containerImage": image}


@pytest.fixture
def run(registry, ctx):
    def run(kind, **properties):
        task = Task("t", f"io.kestra.plugin.scripts.{kind}", TaskKind.WORKER, properties)
        return registry.build(task, lambda value, typed: ctx.render(value, typed=typed)).run(ctx)

    return run


def test_shell_commands_use_all_of_the_contract(run, ctx, where):
    outputs = run(
        "shell.Commands",
        **where,
        beforeCommands=["export WHO={{ inputs.name }}"],
        inputFiles={"in.txt": "from {{ inputs.name }}", "in.csv": "{{ inputs.file }}"},
        env={"N": 3},
        commands=[
            'echo "$WHO $N"',
            "cat in.txt in.csv > {{ outputFiles['out.txt'] }}",
            "mkdir sub && echo x > sub/y.csv",
            'echo \'::{"outputs": {"n": 1}}::\'',
            "echo oops >&2",
        ],
        outputFiles=["out.txt", "**/*.csv"],
    )

    assert outputs.vars == {"n": 1}
    assert set(outputs.output_files) == {"in.csv", "out.txt", "sub/y.csv"}
    assert ctx.files.stored[outputs.output_files["out.txt"]] == b"from Ada1,2\n"
    assert ctx.log.messages(Level.INFO) == ["Ada 3"]
    assert ctx.log.messages(Level.ERROR) == ["oops"]


def test_a_python_script_gives_outputs_and_metrics(run, ctx, where):
    outputs = run(
        "python.Script",
        **where,
        namespaceFiles={"enabled": True},
        script=(
            "from kestra import Kestra\n"
            "from lib.greet import greet\n"
            "Kestra.outputs({'text': greet('{{ inputs.name }}'), 'ok': true})\n"
            "Kestra.counter('rows', 2, {'k': 'v'})\n"
            "Kestra.logger().warning('careful')\n"
        ),
    )

    assert outputs.vars == {"text": "Hi Ada", "ok": True}
    assert [(m.name, m.value) for m in ctx.metrics][-1] == ("rows", 2)
    assert ctx.log.messages(Level.WARN) == ["careful"]


def test_python_commands_find_their_modules(run, where):
    outputs = run(
        "python.Commands",
        **where,
        inputFiles={"main.py": "import kestra; kestra.Kestra.outputs({'a': 1})"},
        commands=["python main.py"],
    )

    assert outputs.vars == {"a": 1}


def test_a_module_of_that_name_that_is_there_already_is_used(run, ctx):
    with pytest.raises(TaskError, match="exit code 1"):
        run(
            "python.Commands",
            taskRunner=PROCESS,
            inputFiles={"other/kestra.py": "mine = 1"},
            env={"PYTHONPATH": "other"},
            commands=['python -c "import kestra; print(kestra.mine); kestra.Kestra"'],
        )

    assert ctx.log.messages(Level.INFO) == ["1"]


def test_dependencies_come_from_where_pip_finds_them(run, tmp_path):
    package = tmp_path / "wheels/greeting"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (package / "backend.py").write_text(BACKEND)

    outputs = run(
        "python.Script",
        taskRunner=PROCESS,
        packageManager="PIP",
        dependencies=[f"greeting @ file://{package}"],
        script="import greeting\nfrom kestra import Kestra\nKestra.outputs({'v': greeting.v})",
    )

    assert outputs.vars == {"v": 5}


def test_the_first_failure_ends_it_and_keeps_files(run, ctx, where):
    with pytest.raises(TaskError, match="exit code 1") as caught:
        run(
            "shell.Commands",
            **where,
            commands=["echo a > a.txt", "false", "echo no"],
            outputFiles=["a.txt"],
        )

    assert list(caught.value.outputs.output_files) == ["a.txt"]
    assert ctx.log.messages() == []


def test_a_program_longer_than_an_argument_runs(run, where):
    text = "\n".join(f"x={n}" for n in range(40_000)) + '\necho "::{\\"outputs\\":{\\"x\\":$x}}::"'

    assert run("shell.Script", **where, script=text).vars == {"x": 39_999}


def test_bash_may_be_the_interpreter(run, where):
    outputs = run(
        "shell.Commands",
        **where,
        interpreter=["/bin/bash", "-c"],
        commands=[
            'a=(x y); [[ ${a[1]} == y ]] && echo "::{\\"outputs\\":{\\"n\\":${a[1]@Q}}}::"'
            " | tr \"'\" '\"'"
        ],
    )

    assert outputs.vars == {"n": "y"}


def test_all_of_the_output_directory_comes_the_old_way(run, where):
    outputs = run(
        "shell.Commands",
        **where,
        outputDirectory=True,
        commands=["mkdir {{ outputDir }}/sub", "echo 1 > $OUTPUT_DIR/sub/a.txt", "echo 2 > b.txt"],
    )

    assert set(outputs.output_files) == {"sub/a.txt"}


def test_text_of_any_kind_arrives_as_it_is(run, ctx, where):
    run(
        "shell.Commands",
        **where,
        env={"TEXT": "{{ inputs.text }}"},
        inputFiles={"in.txt": "{{ inputs.text }}"},
        commands=['printf %s "$TEXT" > env.txt'],
        outputFiles=["*.txt"],
    )

    kept = {uri.rpartition("-")[2]: content for uri, content in ctx.files.stored.items()}
    assert kept["in.txt"].decode() == kept["env.txt"].decode() == TEXT


def test_a_stop_ends_it(run, ctx, where):
    threading.Timer(1, ctx.stop).start()
    began = time.monotonic()

    with pytest.raises(TaskStopped):
        run("shell.Commands", **where, commands=["sleep 600"])

    assert time.monotonic() - began < 5


BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "greeting-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("greeting.py", "v = 5")
        info = "greeting-1.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
