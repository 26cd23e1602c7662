"""What the GitHub Action does: validate a folder of flows, or run one flow on a server.

Needs nothing beyond Python's standard library; `headrace` itself only to validate without a server.
"""

import os
import sys

import run
import validate
from errors import ActionFailed
from server import Server
from settings import Settings
from workflow import Workflow


def main() -> int:
    """Do what the inputs ask for; return the exit code."""
    workflow = Workflow(os.environ)
    try:
        settings = Settings.read(os.environ)
        return _act(settings, workflow)
    except ActionFailed as exc:
        workflow.error(str(exc))
        return 1


def _act(settings: Settings, workflow: Workflow) -> int:
    server = Server(settings) if settings.server else None
    if settings.flow is None:
        return validate.folder(settings, server, workflow)
    if server is None:
        raise ActionFailed("the input `flow` needs the input `server`")
    return run.flow(settings, server, workflow)


if __name__ == "__main__":
    sys.exit(main())
