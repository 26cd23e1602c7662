"""JavaScript programs that Kestra runs with Nashorn, here with Node.js."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _evaluator

IMAGE = "node"


class Eval(_evaluator.Eval):
    """Run a JavaScript program and keep variables of it (deprecated: use node.Script).

    It runs with Node.js in a process of its own and sees `logger`; Java classes and Kestra's
    `runContext` are not there.

    Example:
        - id: counted
          type: io.kestra.plugin.scripts.nashorn.Eval
          outputs: [total]
          script: |
            total = [1, 2, 3].reduce((a, b) => a + b)
    """

    image = IMAGE
    call = "node"
    driver = _evaluator.NODE
    extension = ".js"
    type: Literal["io.kestra.plugin.scripts.nashorn.Eval"] = "io.kestra.plugin.scripts.nashorn.Eval"


class FileTransform(_evaluator.FileTransform):
    """Run a JavaScript program for each row of a file (deprecated: use node.Script).

    Example:
        - id: doubled
          type: io.kestra.plugin.scripts.nashorn.FileTransform
          from: "{{ outputs.rows.uri }}"
          script: |
            row.amount = row.amount * 2
    """

    image = IMAGE
    call = "node"
    driver = _evaluator.NODE
    extension = ".js"
    type: Literal["io.kestra.plugin.scripts.nashorn.FileTransform"] = (
        "io.kestra.plugin.scripts.nashorn.FileTransform"
    )
