"""One of the two servers of a differential run: runs a case, and says what can be compared."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import requests
import yaml

from .differences import Run, Seen
from .wide import Case

Json = dict[str, Any]

_ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED"}
_OPEN = {"CREATED", "SUBMITTED", "RUNNING", "RETRYING", "PAUSED", "RESTARTED", "KILLING"}
_RANDOM = (
    (re.compile(r"\b(?=\w*\d)(?=\w*[A-Z])[0-9A-Za-z]{19,30}\b"), "<id>"),
    (re.compile(r"kestra:///[^\s\"']*"), "<uri>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\dZ:+]*"), "<date>"),
)
_OF_THE_CALL = ("system.correlationId", "system.from")
_LOOPS = (".LoopUntil", ".WaitFor")
_AGAIN = "RETRYING"
_RESUMES = 4
_REST = 0.4
"""How long nothing must happen before an execution counts as over."""


class Server:
    """One of the two; *seconds* without any change and an execution counts as one without end."""

    def __init__(self, url: str, seconds: float) -> None:
        self._base = f"{url}/api/v1/main"
        self._seconds = seconds

    def run(self, case: Case) -> Seen:
        """Run a flow to its end, do what is to be done to it, and return what can be compared."""
        for flow in (*case.children, case.flow):
            if refusal := self._save(flow):
                return Seen("", refused=f"{flow['id']}: {refusal}")
        path = f"/executions/{case.flow['namespace']}/{case.flow['id']}"
        started = self._call("POST", path)
        if started.status_code >= 400:
            return Seen("", refused=f"{started.status_code} {started.text[:300]}")
        others = [self._call("POST", path).json()["id"] for _ in range(case.more)]
        execution = self._settled(started.json()["id"], case)
        for step in case.steps:
            execution = self._after(step, execution, case)
        seen = self._seen(execution, case)
        told = (_told(self._settled(other, case)) for other in others)
        return replace(seen, family=(*seen.family, *sorted(told)))

    def _save(self, flow: Mapping[str, Any]) -> str | None:
        text = as_yaml(flow).encode()
        headers = {"Content-Type": "application/x-yaml"}
        path = f"/flows/{flow['namespace']}/{flow['id']}"
        answer = self._call("PUT", path, data=text, headers=headers)
        if answer.status_code == 404:
            answer = self._call("POST", "/flows", data=text, headers=headers)
        return f"{answer.status_code} {answer.text[:300]}" if answer.status_code >= 400 else None

    def _call(self, method: str, path: str, **given: Any) -> requests.Response:
        return requests.request(method, self._base + path, timeout=60, **given)

    def _get(self, execution_id: str) -> Json:
        answer = self._call("GET", f"/executions/{execution_id}")
        answer.raise_for_status()
        found: Json = answer.json()
        return found

    # ── waiting

    def _settled(self, execution_id: str, case: Case, *, beyond: int = 0) -> Json:
        """Wait until the execution is over, or until it waits for what the case does next."""
        last, since, resumes = "", 0.0, 0
        rest = _REST * (3 if {"afterExecution", "listeners"} & case.flow.keys() else 1)
        while True:
            execution = self._get(execution_id)
            now, told = time.monotonic(), json.dumps([_short(execution)])
            if told != last:
                last, since = told, now
                resumes = min(resumes, 1)
            rests = now - since
            moved = len(execution["state"]["histories"]) > beyond
            if moved and rests > rest and _is_over(execution):
                return execution
            if rests > self._seconds:
                self._call("DELETE", f"/executions/{execution_id}/kill")  # it must not go on
                return execution
            if rests > _REST and _has(case, execution, _hangs, "RUNNING"):
                return execution
            is_held = _has(case, execution, _waits_by_hand, "PAUSED")
            if rests > _REST * (1 + 4 * resumes) and is_held and resumes < _RESUMES:
                self._call("POST", f"/executions/{execution_id}/resume", files={"x": ("", b"")})
                resumes += 1
            time.sleep(0.1)

    def _after(self, step: Json, execution: Json, case: Case) -> Json:
        """Do a step to an execution and return the one to look at then, settled."""
        path, state = f"/executions/{execution['id']}", execution["state"]["current"]
        beyond = len(execution["state"]["histories"])
        if step["do"] == "kill" and state not in _ENDED:
            self._call("DELETE", f"{path}/kill")
        elif step["do"] == "restart" and state == "FAILED":
            self._call("POST", f"{path}/restart")
        elif step["do"] == "state" and state in _ENDED - {"KILLED", "RETRIED"}:
            run = _chosen(execution, case, step["from"])
            told = {"taskRunId": run["id"], "state": step["to"]} if run else {}
            answer = self._call("POST", f"{path}/state", json=told)
            if answer.status_code >= 400:
                return execution
        elif step["do"] == "replay" and state in _ENDED:
            return self._replayed(step, execution, case)
        else:
            return execution
        return self._settled(execution["id"], case, beyond=beyond)

    def _replayed(self, step: Json, execution: Json, case: Case) -> Json:
        run = _chosen(execution, case, step["from"]) if "from" in step else None
        given = {"taskRunId": run["id"]} if run else {}
        answer = self._call("POST", f"/executions/{execution['id']}/replay", params=given)
        if answer.status_code >= 400:
            return {**execution, "outputs": {"refused": answer.status_code}}
        beyond = len(answer.json()["state"]["histories"])
        return self._settled(answer.json()["id"], case, beyond=beyond)

    # ── looking

    def _seen(self, execution: Json, case: Case) -> Seen:
        runs = execution.get("taskRunList") or []
        by_id = {run["id"]: run for run in runs}
        loops = {task["id"] for task in _tasks(case.flow) if task["type"].endswith(_LOOPS)}
        labels = {label["key"]: label["value"] for label in execution.get("labels") or []}
        for random in _OF_THE_CALL:
            labels.pop(random, None)
        return Seen(
            execution["state"]["current"],
            _plain(execution.get("outputs") or {}),
            tuple(sorted(_without_waits(_run(run, by_id), loops) for run in runs)),
            "",
            _way(execution, with_pauses=not loops),
            _plain(labels),
            _plain(execution.get("variables") or {}),
            tuple(sorted(self._lines(execution, case))),
            tuple(sorted(self._family(execution, case))),
        )

    def _lines(self, execution: Json, case: Case) -> Iterator[str]:
        logs = {task["id"] for task in _tasks(case.flow) if task["type"].endswith(".log.Log")}
        if logs:
            for line in self._call("GET", f"/logs/{execution['id']}").json():
                if line.get("taskId") in logs and line["level"] not in ("ERROR", "TRACE"):
                    yield f"{line['taskId']} {line['level']} {_without_random(line['message'])}"

    def _family(self, execution: Json, case: Case) -> Iterator[str]:
        labels = {label["key"]: label["value"] for label in execution.get("labels") or []}
        mark = labels.get("system.correlationId")
        for flow in (*case.children, case.flow):
            given = {
                "filters[namespace][EQUALS]": flow["namespace"],
                "filters[flowId][EQUALS]": flow["id"],
                "size": 100,
                "sort": "state.startDate:desc",
            }
            if flow is case.flow and not case.steps and execution["state"]["current"] != "RETRIED":
                continue
            for one in self._call("GET", "/executions/search", params=given).json()["results"]:
                own = {label["key"]: label["value"] for label in one.get("labels") or []}
                if own.get("system.correlationId") == mark and one["id"] != execution["id"]:
                    yield _told(self._settled(one["id"], case))


def as_yaml(flow: Mapping[str, Any]) -> str:
    """Return a flow's source, in which nothing stands for something else."""
    return yaml.safe_dump(json.loads(json.dumps(flow)), sort_keys=False)


def _told(execution: Json) -> str:
    runs = execution.get("taskRunList") or []
    by_id = {run["id"]: run for run in runs}
    told = sorted(f"{run.task}/{run.value} {run.state}" for run in (_run(r, by_id) for r in runs))
    outputs = json.dumps(_plain(execution.get("outputs") or {}), sort_keys=True)
    labels = {label["key"]: label["value"] for label in execution.get("labels") or []}
    for random in _OF_THE_CALL:
        labels.pop(random, None)
    state = execution["state"]["current"]
    marks = json.dumps(labels, sort_keys=True)
    return f"{execution['flowId']} {state} {outputs} {marks} {', '.join(told)}"


def _short(execution: Json) -> Any:
    """Return what changes when something happens; how long it takes is not in it."""
    runs = execution.get("taskRunList") or []
    told = [(run["id"], run["state"]["histories"], len(run.get("attempts") or [])) for run in runs]
    return execution["state"]["histories"], told


def _is_over(execution: Json) -> bool:
    runs = execution.get("taskRunList") or []
    is_open = any(run["state"]["current"] in _OPEN for run in runs)
    return execution["state"]["current"] in _ENDED and not is_open


def _has(case: Case, execution: Json, wanted: Any, state: str) -> bool:
    tasks = {task["id"] for task in _tasks(case.flow) if wanted(task)}
    runs = execution.get("taskRunList") or []
    return any(run["taskId"] in tasks and run["state"]["current"] == state for run in runs)


def _waits_by_hand(task: Json) -> bool:
    waits = any(name in task for name in ("pauseDuration", "delay", "timeout"))
    return bool(task["type"].endswith(".Pause")) and not waits


def _hangs(task: Json) -> bool:
    return bool(task["type"].endswith(".Sleep")) and task["duration"] == "PT1M"


def _chosen(execution: Json, case: Case, where: float) -> Json | None:
    """Return a task run that is the same on both servers, and not inside of anything."""
    after = {
        task["id"]
        for owner in (case.flow, *_tasks(case.flow))
        for name in ("errors", "finally", "afterExecution", "listeners", "onPause")
        for task in _tasks(owner.get(name))
    }
    runs = [
        run
        for run in execution.get("taskRunList") or []
        if run["taskId"] not in after and not run.get("parentTaskRunId")
    ]
    runs.sort(key=lambda run: (run["taskId"], run.get("value") or ""))
    return runs[int(where * len(runs))] if runs else None


def _tasks(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _tasks(item)
    elif isinstance(value, Mapping):
        if "type" in value and "id" in value and str(value["type"]).startswith("io."):
            yield dict(value)
        for item in value.values():
            yield from _tasks(item)


def _run(run: Json, by_id: Mapping[str, Json]) -> Run:
    outputs = _plain(run.get("outputs") or {})
    if isinstance(outputs.get("resumed"), dict):
        outputs["resumed"].pop("by", None)  # there are no users here
    if isinstance(outputs.get("iterations"), dict):
        outputs["iterations"] = {state: n for state, n in outputs["iterations"].items() if n}
    parent = by_id.get(run.get("parentTaskRunId") or "", {})
    tries = tuple(attempt["state"]["current"] for attempt in run.get("attempts") or [])
    iteration = run.get("iteration")
    return Run(
        run["taskId"],
        str(run.get("value") or ""),
        run["state"]["current"],
        json.dumps(outputs, sort_keys=True) if outputs else "",
        len(tries),
        parent.get("taskId", ""),
        "" if iteration is None else str(iteration),
        tries,
        _way(run),
    )


def _without_waits(run: Run, loops: Collection[str]) -> Run:
    """Kestra forgets which way a loop has gone in its earlier rounds."""
    return replace(run, history=run.history[-1:]) if run.task in loops else run


def _way(of: Json, *, with_pauses: bool = True) -> tuple[str, ...]:
    """Return the states that it went through, without that of waiting for a worker, and without an
    end that is tried again at once.
    """
    states = [entry["state"] for entry in of["state"]["histories"]]
    pairs = zip(states, [*states[1:], ""], strict=True)
    left_out = {"SUBMITTED"} if with_pauses else {"SUBMITTED", "PAUSED"}
    told = (
        one for one, then in pairs if one not in left_out and not (one in _ENDED and then == _AGAIN)
    )
    return tuple(state for state, _ in groupby(told))


def _plain(value: Any) -> Any:
    """Return a value without what is random, and without what the order of keys tells."""
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if item is not None}
        return {str(_plain(key)): _plain(kept[key]) for key in sorted(kept)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _without_random(value)
    return value


def _without_random(text: str) -> str:
    if text[:1] in ("{", "["):
        try:
            return json.dumps(_plain(json.loads(text)), sort_keys=True)
        except ValueError:
            pass
    for pattern, name in _RANDOM:
        text = pattern.sub(name, text)
    return text
