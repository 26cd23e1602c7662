"""Python programs that Kestra runs with Jython, here with Python itself."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _evaluator

IMAGE = "python:3.13-slim"


class Eval(_evaluator.Eval):
    """Run a Python program and keep variables of it (deprecated: use python.Script).

    It runs with Python 3 in a process of its own and sees `logger`; Java classes and Kestra's
    `runContext` are not there.

    Example:
        - id: counted
          type: io.kestra.plugin.scripts.jython.Eval
          outputs: [total]
          script: |
            total = sum([1, 2, 3])
    """

    image = IMAGE
    call = "python3"
    driver = _evaluator.PYTHON
    extension = ".py"
    type: Literal["io.kestra.plugin.scripts.jython.Eval"] = "io.kestra.plugin.scripts.jython.Eval"


class FileTransform(_evaluator.FileTransform):
    """Run a Python program for each row of a file (deprecated: use python.Script).

    Example:
        - id: doubled
          type: io.kestra.plugin.scripts.jython.FileTransform
          from: "{{ outputs.rows.uri }}"
          script: |
            row["amount"] = row["amount"] * 2
    """

    image = IMAGE
    call = "python3"
    driver = _evaluator.PYTHON
    extension = ".py"
    type: Literal["io.kestra.plugin.scripts.jython.FileTransform"] = (
        "io.kestra.plugin.scripts.jython.FileTransform"
    )
