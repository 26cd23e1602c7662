"""PHP scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "php"


class Commands(_script.Commands):
    """Run commands where PHP is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.php.Commands
          namespaceFiles: {enabled: true}
          commands:
            - php main.php
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.php.Commands"] = "io.kestra.plugin.scripts.php.Commands"


class Script(_script.Script):
    """Run a PHP program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.php.Script
          script: |
            <?php echo 'hello ', 1 + 1, PHP_EOL;
    """

    image = IMAGE
    call = "php"
    extension = ".php"
    type: Literal["io.kestra.plugin.scripts.php.Script"] = "io.kestra.plugin.scripts.php.Script"
