"""The part of `corpus_runs` that runs where no network is: our server, and flow after flow.

Reads ``orders.json`` of --folder and writes ``outcomes.json``.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import json
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from tests.conformance.corpus_flows import WORD, CorpusFlow

_ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED"}
_OPEN = {"CREATED", "SUBMITTED", "RUNNING", "RETRYING", "PAUSED", "RESTARTED", "QUEUED"}
_TICKS = datetime(2025, 1, 1, tzinfo=UTC)  # crons of each year, month and day have it
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_CHANGING = re.compile(
    r"kestra:///\S+?(?=[\"'\s]|$)|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)?|\b[0-9A-Za-z]{20,22}\b"
)
_WHO = re.compile(r'"by": "[^"]*", ')  # has resumed a Pause
_VALUES: Mapping[str, Any] = {
    "STRING": WORD,
    "INT": "1",
    "FLOAT": "1.5",
    "BOOLEAN": "true",
    "BOOL": "true",
    "DATE": "2025-01-06",
    "DATETIME": "2025-01-06T10:00:00Z",
    "TIME": "10:00:00",
    "DURATION": "PT1M",
    "JSON": "{}",
    "ARRAY": "[]",
    "URI": "https://example.invalid/a",
    "YAML": "a: 1",
    "EMAIL": "a@example.invalid",
    "SECRET": f"{WORD}-secret",
}

Json = dict[str, Any]


class Server:
    """A server that speaks Kestra's API.

    *prefix* goes before every namespace of a Kestra that others use too; nothing is started there
    by a backfill, which would need its scheduler.
    """

    def __init__(self, url: str, seconds: float, prefix: str = "") -> None:
        self._base, self._seconds, self._prefix = f"{url}/api/v1/main", seconds, prefix

    def outcome(self, order: Json) -> Json:
        """Run the last of an order's texts, the others are there to be called."""
        flows = [CorpusFlow(Path(order["path"]), self._placed(text)) for text in order["texts"]]
        began = time.monotonic()
        try:
            with self._stored(flows):
                execution = self._started(flows[-1])
                found = self._at_the_end(execution) if execution else {"state": "not started"}
        except _Refused as refused:
            found = {"state": "refused", "reason": str(refused)}
        seconds = round(time.monotonic() - began, 1)
        return {"reason": "", "runs": [], "outputs": {}, **found, "seconds": seconds}

    def _placed(self, text: str) -> str:
        if not self._prefix:
            return text
        return re.sub(r"^(\s*(?:- )?namespace: *)(?=\w)", rf"\g<1>{self._prefix}", text, flags=re.M)

    @contextlib.contextmanager
    def _stored(self, flows: Sequence[CorpusFlow]) -> Iterator[None]:
        try:
            for flow in flows:
                self._store(flow)
            yield
        finally:
            for flow in flows:
                self._call("DELETE", f"/flows/{'/'.join(flow.key)}")

    def _store(self, flow: CorpusFlow) -> None:
        text = flow.text
        if flow.flow and "namespace" not in flow.flow:
            text = f"namespace: {self._prefix}{WORD}\n{text}"
        answer = self._call(
            "POST", "/flows", data=text.encode(), headers={"Content-Type": "application/x-yaml"}
        )
        if answer.status_code >= 400:
            raise _Refused(_message(answer))
        for key, value in _keys(flow).items():
            path = f"/namespaces/{flow.key[0]}/kv/{key}"
            headers = {"Content-Type": "application/json"}
            self._call("PUT", path, data=json.dumps(value).encode(), headers=headers)

    # --- starting ---------------------------------------------------------------------------

    def _started(self, flow: CorpusFlow) -> str | None:
        """Start a flow as it wants to be started; None: nothing came of it."""
        assert flow.flow is not None
        reads = re.findall(r"trigger\.(\w+)(?![^{}]*\?\?)", str(flow.flow["tasks"]))
        if "body" in reads and (hook := _trigger(flow, "Webhook")):
            path = f"/executions/webhook/{'/'.join(flow.key)}/{_key(hook)}"
            answer = self._call("POST", path, json=_body(flow))
            return self._newest(flow) if hook.get("wait") else self._id(answer)
        if "date" in reads and (schedule := _trigger(flow, "Schedule")):
            return None if self._prefix else self._by_backfill(flow, schedule)
        path = f"/executions/{'/'.join(flow.key)}"
        return self._id(self._call("POST", path, **_form(_inputs(flow))))

    def _id(self, answer: requests.Response) -> str | None:
        if answer.status_code >= 400:
            raise _Refused(_message(answer))
        return answer.json()["id"] if answer.content else None

    def _by_backfill(self, flow: CorpusFlow, schedule: Json) -> str | None:
        minute, hour = str(schedule["cron"]).split()[:2]
        often = hour == "*" and minute.startswith("*")
        end = _TICKS + (timedelta(minutes=1) if often else timedelta(days=1))
        start, end = (moment - timedelta(seconds=1) for moment in (_TICKS, end))
        window = {"start": start.isoformat(), "end": end.isoformat()}
        who = {"namespace": flow.key[0], "flowId": flow.key[1], "triggerId": schedule["id"]}
        answer = self._call("PUT", "/triggers", json={**who, "backfill": window})
        if answer.status_code >= 400:
            raise _Refused(_message(answer))
        return self._newest(flow)

    def _newest(self, flow: CorpusFlow) -> str | None:
        namespace, flow_id = flow.key
        query = {"filters[namespace][EQUALS]": namespace, "filters[flowId][EQUALS]": flow_id}
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            rows = self._call("GET", "/executions/search", params=query).json()["results"]
            if rows:
                return str(rows[-1]["id"])
            time.sleep(0.2)
        return None

    # --- ending -----------------------------------------------------------------------------

    def _at_the_end(self, execution_id: str) -> Json:
        give_up = time.monotonic() + self._seconds
        while True:
            execution = self._call("GET", f"/executions/{execution_id}").json()
            state = execution["state"]["current"]
            if state == "PAUSED":
                self._call("POST", f"/executions/{execution_id}/resume")
            if state in _ENDED and not _is_open(execution):
                break
            if time.monotonic() > give_up:
                self._call("DELETE", f"/executions/{execution_id}/kill")
                break
            time.sleep(0.1)
        return self._seen(execution)

    def _seen(self, execution: Json) -> Json:
        runs = [_run(run) for run in execution.get("taskRunList") or []]
        return {
            "id": execution["id"],
            "state": execution["state"]["current"],
            "runs": sorted(runs),
            "outputs": json.loads(_steady(json.dumps(execution.get("outputs") or {}))),
            "reason": self._reason(execution["id"]),
        }

    def _reason(self, execution_id: str) -> str:
        answer = self._call("GET", f"/logs/{execution_id}", params={"minLevel": "ERROR"})
        lines = [str(line.get("message") or "").strip() for line in answer.json()]
        return " | ".join(line.splitlines()[-1][:200] for line in lines[-3:] if line)

    def _call(self, method: str, path: str, **given: Any) -> requests.Response:
        return requests.request(method, self._base + path, timeout=60, **given)


class _Refused(Exception):
    """The server does not take a flow, or does not start it."""


def _message(answer: requests.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json().get('message')}"
    except ValueError:
        return f"{answer.status_code} {answer.text[:200]}"


def _is_open(execution: Json) -> bool:
    return any(run["state"]["current"] in _OPEN for run in execution.get("taskRunList") or [])


def _run(run: Json) -> list[Any]:
    """What can be compared of a task run."""
    value, attempts = _steady(str(run.get("value") or "")), len(run.get("attempts") or [])
    outputs = _WHO.sub("", _steady(json.dumps(run.get("outputs") or {}, sort_keys=True)))
    return [run["taskId"], value, run["state"]["current"], attempts, outputs]


def _steady(text: str) -> str:
    """Take out what is another in every run: dates, ids, URIs."""
    return _CHANGING.sub("…", text)


# --- what is made up -----------------------------------------------------------------------------


def _trigger(flow: CorpusFlow, name: str) -> Json | None:
    assert flow.flow is not None
    triggers = flow.flow.get("triggers") or []
    return next((one for one in triggers if str(one["type"]).endswith(f".{name}")), None)


def _key(hook: Json) -> str:
    """Return the key of a webhook, with what was made up for secrets and variables."""
    key = re.sub(r"\{\{\s*secret\([^)]*\)\s*\}\}", f"{WORD}-secret", str(hook["key"]))
    return re.sub(r"\{\{\s*envs\.\w+\s*\}\}", WORD, key)


def _inputs(flow: CorpusFlow) -> dict[str, tuple[str | None, str]]:
    assert flow.flow is not None
    return {
        str(one.get("id") or one["name"]): _input(one)
        for one in flow.flow.get("inputs") or []
        if "defaults" not in one and one.get("required", True)
    }


def _form(inputs: Mapping[str, tuple[str | None, str]]) -> Json:
    """Return a multipart body as `requests` takes it; it cannot make one without parts."""
    if inputs:
        return {"files": inputs}
    return {"data": "--a--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}


def _input(one: Json) -> tuple[str | None, str]:
    if one["type"] == "FILE":
        return "corpus.csv", "a,b\n1,2\n"
    if one.get("expression"):
        return None, "a"
    if one["type"] in ("SELECT", "ENUM"):
        return None, str(one["values"][0])
    if one["type"] == "MULTISELECT":
        return None, json.dumps(one["values"][:1])
    return None, str(one.get("min") or _VALUES[one["type"]])


def _body(flow: CorpusFlow) -> Json:
    """Return a body that has what the flow reads of it."""
    made: Json = {}
    for path in flow.variables("trigger.body"):
        place, (*names, last) = made, path.split(".")
        for name in names:
            place = place.setdefault(name, {})
        place.setdefault(last, WORD)
    return made


def _keys(flow: CorpusFlow) -> dict[str, Any]:
    """Return values for the keys that a flow reads: a map where it subscripts one by an input."""
    assert flow.flow is not None
    values = {str(one.get("id")): one.get("values") for one in flow.flow.get("inputs") or []}
    made = {}
    for key in flow.asks("kv"):
        by = re.search(rf"kv\(['\"]{re.escape(key)}['\"]\)\[inputs\.(\w+)\]", flow.text)
        made[key] = {each: ["a", "b"] for each in values[by[1]]} if by else WORD
    return made


# --- the server ----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--runner", choices=("docker", "process"), required=True)
    given = parser.parse_args()
    orders = json.loads((given.folder / "orders.json").read_text("utf-8"))
    outcomes: dict[str, Json] = {}
    with _headrace(orders, given.runner, given.folder) as url:
        server = Server(url, given.seconds)
        for order in orders:
            outcomes[order["number"]] = found = server.outcome(order)
            print(order["number"], found["state"], f"{found['seconds']} s", file=sys.stderr)
    (given.folder / "outcomes.json").write_text(json.dumps(outcomes), "utf-8")


@contextlib.contextmanager
def _headrace(orders: Sequence[Json], runner: str, folder: Path) -> Iterator[str]:
    from tests.services.headrace import Headrace

    _raise_loopback()
    settings = {
        "task_runner": {"default": runner},
        "docker": {"network_mode": "none", "package_cache": False},
    }
    with Headrace(settings, environment=_environment(orders)) as headrace:
        yield headrace.url


def _environment(orders: Sequence[Json]) -> dict[str, str]:
    """Return secrets and variables under the names that the flows ask for."""
    made = {"PYTHONPATH": str(Path(__file__).parents[2])}
    for order in orders:
        for text in order["texts"]:
            flow = CorpusFlow(Path(order["path"]), text)
            secret = base64.b64encode(f"{WORD}-secret".encode()).decode()
            made |= {f"SECRET_{name.upper()}": secret for name in flow.asks("secret")}
            made |= {f"ENV_{name.upper()}": WORD for name in flow.variables("envs")}
    return made


def _raise_loopback() -> None:
    with socket.socket() as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16xh14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[0]
        if not flags & _IFF_UP:
            fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


if __name__ == "__main__":
    main()
