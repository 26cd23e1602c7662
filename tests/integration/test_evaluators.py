"""Programs that set variables or change rows, by real interpreters."""

import json
import os
import shutil

import pytest

from runner.model.flow import Task, TaskKind
from runner.model.logs import Level
from runner.plugin import TaskError
from runner.registry import load
from runner.testing import FakeRunContext

URI = "kestra:///rows.ion"
SUM = {
    "groovy": "total = rows.sum()\nlogger.info('sum {} of {}', total, 2)\n[total: total]",
    "jython": "total = sum(rows)\nlogger.info('sum {} of {}', total, 2)\n{'total': total}",
    "nashorn": "total = rows[0] + rows[1]\nlogger.info('sum {} of {}', total, 2);({total: total})",
}
DOUBLE = {
    "groovy": "if (row.n == 2) row = null else row.n = row.n * 2",
    "jython": "if row['n'] == 2:\n    row = None\nelse:\n    row['n'] = row['n'] * 2",
    "nashorn": "if (row.n === 2) row = null; else row.n = row.n * 2",
}
EVAL = {
    "groovy": "scripts.groovy.Eval",
    "jython": "scripts.jython.Eval",
    "nashorn": "scripts.nashorn.Eval",
}
TRANSFORM = {
    "groovy": "scripts.groovy.FileTransform",
    "jython": "scripts.jython.FileTransform",
    "nashorn": "scripts.nashorn.FileTransform",
}
CALLS = {"groovy": "groovy", "jython": "python3", "nashorn": "node"}
BY_HAND = [name for name in ("groovy",) if name in os.environ.get("TEST_LANGUAGES", "").split()]
WANTED = ["jython", "nashorn", *BY_HAND]
"""Groovy needs a JVM, too heavy for every run: `TEST_LANGUAGES=groovy` adds it."""

ROWS = {
    "groovy": "def rows = [1, 2]\n",
    "jython": "rows = [1, 2]\n",
    "nashorn": "var rows = [1, 2]\n",
}


@pytest.fixture(params=WANTED)
def language(request):
    assert shutil.which(CALLS[request.param]), f"{CALLS[request.param]} is missing: make services"
    return request.param


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(tmp_path, files={URI: b'{"n": 1, "x": "\xc3\xbc"}\n{"n": 2}\n{"n": 3}\n'})


@pytest.fixture
def run(ctx):
    def run(kind, **properties):
        runner = {"type": "io.kestra.plugin.core.runner.Process"}
        env = {"JAVA_HOME": os.environ.get("JAVA_HOME")}
        given = {"taskRunner": runner, "env": env, **properties}
        task = Task("t", f"io.kestra.plugin.{kind}", TaskKind.WORKER, given)
        return load().build(task, lambda value, typed: ctx.render(value, typed=typed)).run(ctx)

    return run


def test_a_program_leaves_its_result_and_variables(language, run, ctx):
    given = run(EVAL[language], script=ROWS[language] + SUM[language], outputs=["total", "no"])

    assert given.result == {"total": 3}
    assert given.outputs["total"] == 3
    assert given.outputs.get("no") is None
    assert (Level.INFO, "sum 3 of 2") in ctx.log.lines


def test_rows_are_changed_or_dropped(language, run, ctx):
    given = run(TRANSFORM[language], **{"from": URI}, script=DOUBLE[language])

    lines = ctx.files.stored[given.uri].decode().splitlines()
    assert [json.loads(line) for line in lines] == [{"n": 2, "x": "ü"}, {"n": 6}]
    assert [(m.name, m.value) for m in ctx.metrics] == [("records", 3)]


def test_rows_may_be_written_in_the_flow(run, ctx):
    for rows in ([{"n": 1}], '[{"n": 1}]', {"n": 1}):
        given = run("scripts.jython.FileTransform", **{"from": rows}, script=DOUBLE["jython"])
        assert json.loads(ctx.files.stored[given.uri]) == {"n": 2}
    with pytest.raises(TaskError, match="neither a URI nor JSON"):
        run("scripts.jython.FileTransform", **{"from": "rows"}, script="")


def test_what_is_not_there_fails_with_its_name(language, run, ctx):
    with pytest.raises(TaskError, match="exit code 1"):
        run(EVAL[language], script="runContext.render('x')")
    assert any("runContext" in message for _, message in ctx.log.lines)
