"""Groovy scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _evaluator, _script

IMAGE = "groovy"


class Commands(_script.Commands):
    """Run commands where Groovy is at hand; in a container as root, unless `user` is named.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.groovy.Commands
          namespaceFiles: {enabled: true}
          commands:
            - groovy main.groovy
    """

    image = IMAGE
    container_user = "root"
    type: Literal["io.kestra.plugin.scripts.groovy.Commands"] = (
        "io.kestra.plugin.scripts.groovy.Commands"
    )


class Script(_script.Script):
    """Run a Groovy program; in a container as root, unless `user` is named.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.groovy.Script
          script: |
            println "hello ${1 + 1}"
    """

    image = IMAGE
    container_user = "root"
    call = "groovy"
    extension = ".groovy"
    type: Literal["io.kestra.plugin.scripts.groovy.Script"] = (
        "io.kestra.plugin.scripts.groovy.Script"
    )


class Eval(_evaluator.Eval):
    """Run a Groovy program and keep variables of it (deprecated: use Script).

    It runs in a process of its own and sees `logger`; Kestra's Java classes and its `runContext`
    are not there.

    Example:
        - id: counted
          type: io.kestra.plugin.scripts.groovy.Eval
          outputs: [total]
          script: |
            total = [1, 2, 3].sum()
    """

    image = IMAGE
    container_user = "root"
    call = "groovy"
    driver = _evaluator.GROOVY
    extension = ".groovy"
    type: Literal["io.kestra.plugin.scripts.groovy.Eval"] = "io.kestra.plugin.scripts.groovy.Eval"


class FileTransform(_evaluator.FileTransform):
    """Run a Groovy program for each row of a file (deprecated: use Script).

    Example:
        - id: doubled
          type: io.kestra.plugin.scripts.groovy.FileTransform
          from: "{{ outputs.rows.uri }}"
          script: |
            row.amount = row.amount * 2
    """

    image = IMAGE
    container_user = "root"
    call = "groovy"
    driver = _evaluator.GROOVY
    extension = ".groovy"
    type: Literal["io.kestra.plugin.scripts.groovy.FileTransform"] = (
        "io.kestra.plugin.scripts.groovy.FileTransform"
    )
