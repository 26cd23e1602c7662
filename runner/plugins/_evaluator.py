"""What tasks share that let a program of a few lines set variables, or change rows of a file.

Kestra runs such programs inside its server, on the Java machine. Here a *driver* in the same
language, or its nearest relative, runs them in a process or container of their own: it reads what
they left behind, and tells it over the lines that every script may write.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, JsonValue

from runner.plugin import Read, RunContext, Task, TaskError
from runner.plugins import _items, _script
from runner.plugins._workspace import HIDDEN, Workspace

_ROWS = "rows.jsonl"
_CHANGED = "changed.jsonl"


class Evaluator(_script.ScriptTask):
    """Base of both kinds: *call* runs *driver*, which runs the program."""

    call: ClassVar[str]
    driver: ClassVar[str]
    extension: ClassVar[str]

    script: Annotated[str, Read.ASKED] = Field(description="the program")

    def program(self, ctx: RunContext, space: Workspace, extra: Mapping[str, Any]) -> list[str]:
        text = str(ctx.render(self.script, extra=extra))
        files = [
            space.write(f"{HIDDEN}/driver{self.extension}", self.driver),
            space.write(f"{HIDDEN}/program{self.extension}", text),
        ]
        words = [*(space.seen_as(file) for file in files), *self.arguments(ctx, space)]
        return [" ".join([self.call, *map(shlex.quote, words)])]

    def arguments(self, ctx: RunContext, space: Workspace) -> list[str]:
        """Return what the driver is told besides the program's file."""
        raise NotImplementedError


class Eval(Evaluator):
    """Base of those that run a program once."""

    outputs: list[str] = Field(default=[], description="names of variables to keep")

    class Outputs(Task.Outputs):
        """What the program left behind."""

        result: JsonValue = Field(default=None, description="value of the last expression")
        outputs: dict[str, JsonValue] = Field(default={}, description="the variables by name")

    def arguments(self, ctx: RunContext, space: Workspace) -> list[str]:
        return ["eval", *self.outputs]

    def run(self, ctx: RunContext) -> Any:
        told = super().run(ctx).vars
        kept = told.get("outputs")
        return self.Outputs(
            result=told.get("result"), outputs=kept if isinstance(kept, dict) else {}
        )


class FileTransform(Evaluator):
    """Base of those that run a program for each row of a file: it sees and may change `row`."""

    source: JsonValue = Field(alias="from", description="URI of a file of items, or rows as JSON")
    concurrent: int | None = Field(
        default=None, ge=2, description="has no effect: rows are worked on one after another"
    )

    class Outputs(Task.Outputs):
        """The rows that are left."""

        uri: str = Field(description="file with the rows; those that became null are left out")

    def arguments(self, ctx: RunContext, space: Workspace) -> list[str]:
        rows = "".join(f"{json.dumps(row, default=str)}\n" for row in self._rows(ctx))
        file = space.write(f"{HIDDEN}/{_ROWS}", rows)
        return ["rows", space.seen_as(file), f"{space.seen}/{_CHANGED}"]

    def _rows(self, ctx: RunContext) -> Iterator[Any]:
        given = self.source
        if isinstance(given, str) and ctx.files.is_uri(given):
            yield from (value for _, value in _items.items(ctx, given))
            return
        try:
            given = json.loads(given) if isinstance(given, str) else given
        except ValueError as exc:
            raise TaskError(f"'from' is neither a URI nor JSON: {exc}") from exc
        yield from given if isinstance(given, list) else [given]

    def run(self, ctx: RunContext) -> Any:
        wanted = self.model_copy(update={"output_files": [_CHANGED]})
        given = _script.ScriptTask.run(wanted, ctx)
        ctx.metric("records", "counter", float(str(given.vars.get("records", 0))))
        return self.Outputs(uri=given.output_files[_CHANGED])


PYTHON = '''"""Runs a program and tells what it left behind: eval NAME… | rows FILE FILE."""
import ast
import json
import sys

class Logger:
    def __getattr__(self, level):
        def write(text, *values):
            for value in values:
                text = str(text).replace("{}", str(value), 1)
            tell({"logs": [{"level": level.upper(), "message": str(text)}]})
        return write

def tell(what):
    print("::" + json.dumps(what, default=str) + "::", flush=True)

path, how, *words = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    parsed = ast.parse(file.read(), "script")
last = parsed.body.pop() if parsed.body and isinstance(parsed.body[-1], ast.Expr) else None
body = compile(parsed, "script", "exec")
ending = compile(ast.Expression(last.value), "script", "eval") if last else None

def run(seen):
    exec(body, seen)
    return eval(ending, seen) if ending else None

if how == "eval":
    seen = {"logger": Logger()}
    result = run(seen)
    tell({"outputs": {"result": result, "outputs": {name: seen.get(name) for name in words}}})
else:
    records = 0
    with open(words[0], encoding="utf-8") as rows, open(words[1], "w", encoding="utf-8") as out:
        for line in rows:
            seen = {"logger": Logger(), "row": json.loads(line)}
            run(seen)
            records += 1
            if seen["row"] is not None:
                out.write(json.dumps(seen["row"], default=str) + chr(10))
    tell({"outputs": {"records": records}})
'''

NODE = """// Runs a program and tells what it left behind: eval NAME… | rows FILE FILE.
const fs = require('fs'), vm = require('vm')
const tell = what => console.log('::' + JSON.stringify(what) + '::')
const write = level => (text, ...values) => {
  for (const value of values) text = String(text).replace('{}', String(value))
  tell({logs: [{level, message: String(text)}]})
}
const logger = {}
for (const level of ['trace', 'debug', 'info', 'warn', 'error'])
  logger[level] = write(level.toUpperCase())
const print = (...values) => console.log(...values)
const [path, how, ...words] = process.argv.slice(2)
const program = new vm.Script(fs.readFileSync(path, 'utf8'), {filename: 'script'})
const run = seen => program.runInContext(vm.createContext(seen))
if (how === 'eval') {
  const seen = {logger, print, console}
  const result = run(seen)
  const outputs = Object.fromEntries(words.map(name => [name, seen[name]]))
  tell({outputs: {result, outputs}})
} else {
  const changed = []
  const rows = fs.readFileSync(words[0], 'utf8').split('\\n').filter(line => line)
  for (const line of rows) {
    const seen = {logger, print, console, row: JSON.parse(line)}
    run(seen)
    if (seen.row !== null && seen.row !== undefined) changed.push(JSON.stringify(seen.row) + '\\n')
  }
  fs.writeFileSync(words[1], changed.join(''))
  tell({outputs: {records: rows.length}})
}
"""

GROOVY = """// Runs a program and tells what it left behind: eval NAME… | rows FILE FILE.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import java.util.regex.Matcher

def tell = { what -> println('::' + JsonOutput.toJson(what) + '::') }
def logger = new Expando()
['trace', 'debug', 'info', 'warn', 'error'].each { level ->
  logger.setProperty(level, { Object[] told ->
    def text = told[0].toString()
    told.drop(1).each { text = text.replaceFirst(/\\{\\}/, Matcher.quoteReplacement("$it")) }
    tell([logs: [[level: level.toUpperCase(), message: text]]])
  })
}
def words = args as List
def program = new File(words[0])
def shell = new GroovyShell()
def parsed = shell.parse(program)
def run = { Map seen ->
  parsed.setBinding(new Binding(seen))
  parsed.run()
}
if (words[1] == 'eval') {
  def seen = [logger: logger]
  def result = run(seen)
  tell([outputs: [result: result, outputs: words.drop(2).collectEntries { [(it): seen[it]] }]])
} else {
  def records = 0
  def slurper = new JsonSlurper()
  new File(words[3]).withWriter('UTF-8') { out ->
    new File(words[2]).eachLine('UTF-8') { line ->
      def seen = [logger: logger, row: slurper.parseText(line)]
      run(seen)
      records++
      if (seen.row != null) out.writeLine(JsonOutput.toJson(seen.row))
    }
  }
  tell([outputs: [records: records]])
}
"""
