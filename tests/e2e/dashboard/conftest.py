"""One server with runs in every state that pages tell apart."""

import pytest

from tests.services.headrace import Headrace

NAMESPACE = "company.team"
_SHELL = """
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}"""
FLOWS = {
    "good": f"""
id: good
namespace: {NAMESPACE}
description: Ends well.
labels: {{team: data}}
inputs:
  - {{id: who, type: STRING, defaults: bob}}
  - {{id: many, type: INT, min: 1, max: 10, defaults: 2}}
  - {{id: day, type: DATE, required: false}}
  - {{id: where, type: SELECT, values: [prod, staging], defaults: prod}}
  - {{id: full, type: BOOL, defaults: false}}
  - {{id: more, type: JSON, required: false}}
  - {{id: doc, type: FILE, required: false}}
triggers:
  - {{id: nightly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 2 * * *"}}
tasks:
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: one, type: io.kestra.plugin.core.debug.Return, format: "1"}}
      - {{id: two, type: io.kestra.plugin.core.log.Log, message: "hi {{{{ inputs.who }}}}"}}
  - id: file{_SHELL}
    outputFiles: [table.csv]
    commands: ["printf 'a,b' > table.csv"]
outputs:
  - {{id: said, type: STRING, value: "{{{{ outputs.one.value }}}}"}}
""",
    "bad": f"""
id: bad
namespace: {NAMESPACE}
tasks:
  - {{id: begin, type: io.kestra.plugin.core.log.Log, message: fine so far}}
  - id: risky{_SHELL}
    commands: ["for i in $(seq 1 12); do echo line $i; done", "echo broken >&2; exit 3"]
""",
    "waits": f"""
id: waits
namespace: {NAMESPACE}
tasks:
  - id: approval
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{{id: reason, type: STRING}}]
""",
    "long": f"""
id: long
namespace: {NAMESPACE}
tasks:
  - id: count{_SHELL}
    commands: ["for i in $(seq 1 600); do echo tick $i; sleep 0.5; done"]
""",
}


@pytest.fixture(scope="session")
def headrace():
    with Headrace({"sources": [_unreachable()]}) as server:
        for text in FLOWS.values():
            server.add_flow(text)
        yield server


@pytest.fixture(scope="session")
def runs(headrace):
    """Ids of one run of each flow: ended well, failed, paused, running."""
    found = {name: headrace.start_flow(NAMESPACE, name)["id"] for name in FLOWS}
    headrace.wait_for(found["good"], states=("SUCCESS",))
    headrace.wait_for(found["bad"], states=("FAILED",))
    headrace.wait_for(found["waits"], states=("PAUSED",))
    headrace.wait_for(found["long"], states=("RUNNING",))
    return found


def _unreachable():
    return {"name": "gone", "url": "https://127.0.0.1:9/gone.git", "branch": "main", "poll": "30s"}
