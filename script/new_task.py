"""Writes the dull part of a task type, with its test.

python -m script.new_task FAMILY Name [io.kestra.plugin.FAMILY.Name]
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
USAGE = """usage: make new-task ARGS='FAMILY Name [TYPE]'
   as: make new-task ARGS='redis Get io.kestra.plugin.redis.string.Get'"""

HEAD = '''"""{title} tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.plugin import RunContext, Task
'''

CLASS = '''

class {name}(Task):
    """Give back a text.

    Example:
        - id: {identifier}
          type: {type}
          text: "Hello from {{{{ flow.id }}}}"
    """

    type: Literal["{type}"] = "{type}"
    text: str = Field(description="what to give back")

    class Outputs(Task.Outputs):
        value: str = Field(description="the text")

    def run(self, ctx: RunContext) -> Outputs:
        ctx.log.info("given back", characters=len(self.text))
        return self.Outputs(value=self.text)
'''

TEST_HEAD = """from runner.plugins.{family} import {name}
from runner.testing import FakeRunContext
"""

TEST = """

def test_{identifier}_gives_the_text_back(tmp_path):
    task = {name}(text="hello")

    outputs = task.run(FakeRunContext(tmp_path))

    assert outputs.value == "hello"
"""


def main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3):
        print(USAGE, file=sys.stderr)
        return 2
    family, name = arguments[:2]
    type_name = arguments[2] if len(arguments) == 3 else f"io.kestra.plugin.{family}.{name}"
    words = {
        "family": family,
        "title": family.capitalize(),
        "name": name,
        "type": type_name,
        "identifier": re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(),
    }
    _add(ROOT / f"runner/plugins/{family}.py", HEAD, CLASS, words)
    _add(ROOT / f"tests/unit/plugins/test_{family}.py", TEST_HEAD, TEST, words)
    return 0


def _add(path: Path, head: str, body: str, words: dict[str, str]) -> None:
    """Add to the family's file, which begins with *head* if it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else head.format_map(words)
    imports = f"from runner.plugins.{words['family']} import {words['name']}\n"
    if head is TEST_HEAD and imports not in text:
        text = imports + text
    path.write_text(text + body.format_map(words))
    print(f"wrote {path.relative_to(ROOT)}: make it do what it says")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
