"""Runtimes for units: a fresh SQLite, files in a folder, nobody to wake, a clock that is moved."""

import shutil
from datetime import UTC, datetime, timedelta

from runner.queue import NoQueue
from runner.runtime import Runtime
from runner.settings import Settings
from runner.wiring import make_runtime

_TEMPLATES = {}


class MovableClock:
    """Stands still until it is moved."""

    def __init__(self):
        self.moment = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)

    def now(self):
        return self.moment

    def move(self, **delta):
        self.moment += timedelta(**delta)


class RecordingQueue(NoQueue):
    """Remembers what was to be woken."""

    def __init__(self):
        self.sent = []

    def send(self, wakes):
        self.sent.extend(wakes)


def a_runtime(home, *, environment=None, **settings) -> Runtime:
    """Open a runtime on a fresh database below *home*."""
    home.mkdir(parents=True, exist_ok=True)
    if "database" in _TEMPLATES:
        for name, content in _TEMPLATES["database"].items():
            (home / name).write_bytes(content)
    runtime = make_runtime(
        Settings(home=home, task_runner={"default": "process"}, **settings),
        queue=RecordingQueue(),
        environment=environment or {},
        migrated="database" not in _TEMPLATES,
    )
    if "database" not in _TEMPLATES:
        runtime.store.close()
        files = [path for path in home.iterdir() if path.suffix == ".db"]
        _TEMPLATES["database"] = {path.name: path.read_bytes() for path in files}
        shutil.rmtree(home)
        return a_runtime(home, environment=environment, **settings)
    object.__setattr__(runtime, "clock", MovableClock())
    return runtime


def drive_all(runtime, execution_id):
    """Work on an execution until nothing is left to do, and settle what that announces."""
    from runner.executor.drive import drive
    from runner.services.announcements import settle

    drive(runtime, execution_id)
    settle(runtime)


HELLO = """\
id: hello
namespace: company.team
labels: {team: data}
inputs:
  - {id: who, type: STRING, defaults: bob}
  - {id: n, type: INT, required: false}
  - {id: doc, type: FILE, required: false}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "hi {{ inputs.who }}"}
  - {id: ret, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.who }}"}
outputs:
  - {id: greeting, type: STRING, value: "{{ outputs.ret.value }}"}
"""

BROKEN = """\
id: broken
namespace: company.team
tasks:
  - {id: first, type: io.kestra.plugin.core.debug.Return, format: one}
  - {id: bad, type: io.kestra.plugin.core.execution.Fail}
  - {id: last, type: io.kestra.plugin.core.debug.Return, format: three}
"""

PAUSING = """\
id: pausing
namespace: company.team
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onResume:
      - {id: reason, type: STRING}
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.wait.onResume.reason }}"
"""

HOOKED = """\
id: hooked
namespace: company.team
inputs:
  - {id: ref, type: STRING, required: false}
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.body.ref ?? 'none' }}"}
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: s3cret
"""
