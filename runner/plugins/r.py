"""R scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "r-base"


class Commands(_script.Commands):
    """Run commands where R is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.r.Commands
          namespaceFiles: {enabled: true}
          commands:
            - Rscript main.R
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.r.Commands"] = "io.kestra.plugin.scripts.r.Commands"


class Script(_script.Script):
    """Run an R program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.r.Script
          script: |
            cat("hello", 1 + 1)
    """

    image = IMAGE
    call = "Rscript"
    extension = ".R"
    type: Literal["io.kestra.plugin.scripts.r.Script"] = "io.kestra.plugin.scripts.r.Script"
