"""How long list and search take with much history: p50 and p95 of each kind of query.

    python -m tests.bench.search [--rows 1000000] [--url URL]

Without a URL it fills a SQLite file in a temporary folder; a database of a URL is filled up to the
rows and kept. The goal is p95 < 100 ms with 1,000,000 rows.
"""

import argparse
import random
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner import ids
from runner.model.execution import Execution, StartedBy
from runner.model.states import State
from runner.store import migrate, open_store
from runner.store.base import ExecutionFilter

START = datetime(2026, 1, 1, tzinfo=UTC)
STATES = [State.SUCCESS] * 90 + [State.FAILED] * 7 + [State.WARNING] * 2 + [State.KILLED]
FLOWS = [(f"company.team{n % 20}", f"flow-{n}") for n in range(400)]
HOOK = "io.kestra.plugin.core.trigger.Webhook"
BATCH = 5_000
REPEATS = 20


def main():
    """Fill, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{Path(folder) / 'headrace.db'}"
        migrate(url)
        store = open_store(url)
        with store.read() as tx:
            there = tx.executions.count(ExecutionFilter(), at_most=options.rows)
        fill(store, there, options.rows)
        measure(store, options.rows)
        store.close()


def fill(store, there, rows):
    """Write the executions that are missing, half of them of one flow, one each second."""
    chance = random.Random(there)
    for start in range(there, rows, BATCH):
        with store.begin() as tx:
            for number in range(start, min(rows, start + BATCH)):
                tx.executions.add(an_execution(chance, number, rows), by="bench")


def an_execution(chance, number, rows):
    """One of the past. Half are of one flow, whose failures are all old."""
    at = START + timedelta(seconds=number)
    flow = 0 if chance.random() < 0.5 else chance.randrange(len(FLOWS))
    state = STATES[chance.randrange(100)]
    if flow == 0 and number > rows // 10:
        state = State.SUCCESS
    if number == rows // 3:
        state = State.CANCELLED
    namespace, flow_id = FLOWS[flow]
    labels = [("env", "prod" if chance.random() < 0.7 else "dev")]
    if chance.random() < 0.001:
        labels.append(("ticket", str(chance.randrange(100))))
    execution = Execution(
        ids.encode(chance.getrandbits(130), width=22),
        namespace,
        flow_id,
        1,
        State.CREATED,
        ((State.CREATED, at),),
        labels=tuple(labels),
        inputs={"number": number, "text": "x" * 100},
        trigger=StartedBy("hook", HOOK, {"body": {"a": number}}),
        commit=f"{chance.randrange(rows // 50 + 1):040x}",
    )
    ended = execution.enter(State.RUNNING, at).enter(state, at + timedelta(seconds=1))
    return replace(ended, fully_ended=True)


def queries(rows):
    """What people look for, and what could be slow."""
    end = START + timedelta(seconds=rows)
    return {
        "all": ExecutionFilter(),
        "a namespace": ExecutionFilter(namespaces=("company.team3",)),
        "all namespaces of a company": ExecutionFilter(namespaces=("company",)),
        "a namespace that is empty": ExecutionFilter(namespaces=("nobody",)),
        "a flow": ExecutionFilter(namespaces=("company.team7",), flow_ids=("flow-7",)),
        "the big flow's failures, long ago": ExecutionFilter(
            flow_ids=("flow-0",), states=("FAILED",)
        ),
        "a pattern of flows": ExecutionFilter(flow_ids=("flow-1*",)),
        "a pattern that matches none": ExecutionFilter(flow_ids=("nope*",)),
        "a frequent state": ExecutionFilter(states=("SUCCESS",)),
        "states": ExecutionFilter(states=("FAILED", "KILLED", "WARNING")),
        "a state of one row": ExecutionFilter(states=("CANCELLED",)),
        "a state of no row": ExecutionFilter(states=("RUNNING",)),
        "a frequent label": ExecutionFilter(labels=(("env", "prod"),)),
        "a rare label": ExecutionFilter(labels=(("ticket", "7"),)),
        "a frequent and a rare label": ExecutionFilter(labels=(("env", "prod"), ("ticket", "7"))),
        "a label and a state": ExecutionFilter(labels=(("env", "dev"),), states=("KILLED",)),
        "a commit": ExecutionFilter(commit=f"{rows // 100:040x}"),
        "text in a flow": ExecutionFilter(text="flow-39"),
        "text in most flows": ExecutionFilter(text="flow"),
        "text nowhere": ExecutionFilter(text="zzzz"),
        "a trigger type": ExecutionFilter(trigger_types=(HOOK,)),
        "an hour": ExecutionFilter(since=end - timedelta(hours=9), until=end - timedelta(hours=8)),
        "failures of an hour": ExecutionFilter(
            states=("FAILED",), since=end - timedelta(hours=9), until=end - timedelta(hours=8)
        ),
    }


def measure(store, rows):
    """Print p50 and p95 in milliseconds of the first page, the tenth, and a bounded count."""
    print(f"{rows} rows, {store.dialect}; milliseconds: p50 / p95")
    print(f"{'query':36} {'first page':>16} {'tenth page':>16} {'count ≤ 1000':>16}")
    for name, filter in queries(rows).items():
        cursor = tenth(store, filter)
        columns = [
            timed(store, lambda tx, f=filter: tx.executions.search(f, limit=25)),
            timed(
                store, lambda tx, f=filter, c=cursor: tx.executions.search(f, limit=25, cursor=c)
            ),
            timed(store, lambda tx, f=filter: tx.executions.count(f, at_most=1000)),
        ]
        print(
            f"{name:36} " + " ".join(f"{p50:7.1f} /{p95:7.1f}" for p50, p95 in columns), flush=True
        )


def tenth(store, filter):
    """The cursor of the tenth page, or of the last before it."""
    cursor = None
    with store.read() as tx:
        for _ in range(9):
            page = tx.executions.search(filter, limit=25, cursor=cursor)
            if page.cursor is None:
                break
            cursor = page.cursor
    return cursor


def timed(store, act):
    """p50 and p95 of a few calls."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        with store.read() as tx:
            act(tx)
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return times[REPEATS // 2], times[int(REPEATS * 0.95)]


if __name__ == "__main__":
    main()
