"""Running a flow: start it, show its log while it runs, end as it ended."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from server import Server
from settings import Settings
from workflow import Workflow

POLL_SECONDS = 1.0
LAST_LINES_SECONDS = 10.0
"""How long the stream may take, after the end, to give its last lines."""

_ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "SKIPPED", "RETRIED"}
_GOOD = {"SUCCESS", "WARNING", "SKIPPED"}


def flow(settings: Settings, server: Server, workflow: Workflow) -> int:
    """Run the flow; return 0 when it went well or is not waited for."""
    execution = server.start(settings)
    name = f"{execution['namespace']}.{execution['flowId']}"
    url = execution.get("url", "")
    workflow.say(f"Started {name}, execution {execution['id']} {url}".rstrip())
    workflow.output("execution-id", execution["id"])
    workflow.output("execution-url", url)
    if settings.wait:
        with workflow.foreign_lines(f"Log of {name}"):
            execution = _follow(execution["id"], server, workflow)
    return (
        _report(execution, name, url, workflow) if settings.wait else _started(execution, workflow)
    )


def _started(execution: dict[str, Any], workflow: Workflow) -> int:
    workflow.output("execution-state", execution["state"]["current"])
    return 0


def _follow(execution_id: str, server: Server, workflow: Workflow) -> dict[str, Any]:
    """Show the log until the execution has ended; return it as it ended."""
    shown, ended = _ShownLines(workflow), threading.Event()
    stream = threading.Thread(
        target=_stream, args=(execution_id, server, shown, ended), daemon=True
    )
    stream.start()
    while (execution := server.execution(execution_id))["state"]["current"] not in _ENDED:
        time.sleep(POLL_SECONDS)
    ended.set()
    stream.join(LAST_LINES_SECONDS)
    shown.show(server.logs(execution_id))
    return execution


def _stream(execution_id: str, server: Server, shown: _ShownLines, ended: threading.Event) -> None:
    """Show the log as it is written, and begin again where the connection broke."""
    while not ended.is_set():
        shown.show(server.follow_logs(execution_id))
        ended.wait(POLL_SECONDS)


class _ShownLines:
    """Prints each log entry once, although stream and list both have it."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._printed: Counter[tuple[Any, ...]] = Counter()
        self._lock = threading.Lock()

    def show(self, entries: Iterable[dict[str, Any]]) -> None:
        """Print what is new; *entries* begin with the execution's first."""
        met: Counter[tuple[Any, ...]] = Counter()
        for entry in entries:
            key = tuple(entry.get(name) for name in ("timestamp", "taskRunId", "level", "message"))
            met[key] += 1
            self._print_once(key, met[key], entry)

    def _print_once(self, key: tuple[Any, ...], number: int, entry: dict[str, Any]) -> None:
        with self._lock:
            if number > self._printed[key]:
                self._printed[key] = number
                self._workflow.say(_line(entry))


def _line(entry: dict[str, Any]) -> str:
    head = f"{entry['timestamp']} {entry['level']:<5} {entry.get('taskId', '-')}:"
    message: str = entry.get("message", "")
    return f"{head} " + message.replace("\n", "\n    ")


def _report(execution: dict[str, Any], name: str, url: str, workflow: Workflow) -> int:
    state = execution["state"]["current"]
    outputs = json.dumps(execution.get("outputs") or {}, ensure_ascii=False)
    workflow.output("execution-state", state)
    workflow.output("outputs", outputs)
    workflow.summary(_summary(execution, name, url, outputs))
    sentence = f"{name} ended {state} {url}".rstrip()
    if state == "WARNING":
        workflow.warning(sentence, title=name)
    elif state not in _GOOD:
        workflow.error(sentence, title=name)
    else:
        workflow.say(sentence)
    return 0 if state in _GOOD else 1


def _summary(execution: dict[str, Any], name: str, url: str, outputs: str) -> str:
    linked = f"[{execution['id']}]({url})" if url else execution["id"]
    state = execution["state"]
    return "\n".join(
        [
            f"### {name}: {state['current']}",
            "",
            f"Execution {linked}, revision {execution.get('flowRevision', '–')}, "
            f"{state.get('duration', '–')}",
            "",
            *(["```json", outputs, "```"] if execution.get("outputs") else []),
        ]
    )
