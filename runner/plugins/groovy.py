"""Groovy scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

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
