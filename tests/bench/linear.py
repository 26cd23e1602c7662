"""``python -m tests.bench.linear``: ForEach and ForEachItem over more and more values, in this
process: seconds and rows written (inserted, changed, removed) for each value.

    python -m tests.bench.linear --values 100,1000,10000 --batches 100,1000
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.store import sqlite
from tests.scenarios.player import Player

_EACH = """id: each
namespace: bench
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: {limit}
    values: "{{{{ range(1, {count}) }}}}"
    tasks:
      - {{id: show, type: io.kestra.plugin.core.debug.Return, format: "{{{{ taskrun.value }}}}"}}
"""
_BATCHES = """id: batches
namespace: bench
inputs: [{id: file, type: FILE}]
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEachItem
    items: "{{ inputs.file }}"
    batch: {rows: 1}
    namespace: bench
    flowId: batch
    inputs: {items: "{{ read(taskrun.items) }}"}
"""
_BATCH = """id: batch
namespace: bench
inputs: [{id: items, type: STRING}]
tasks: [{id: show, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.items }}"}]
"""


@dataclass(frozen=True)
class Effort:
    """What so many values took."""

    count: int
    seconds: float
    rows: int

    def __str__(self) -> str:
        each = f"{self.seconds / self.count * 1000:.2f} ms, {self.rows / self.count:.2f} rows each"
        return f"{self.count:>7,} {self.seconds:>9.2f} s {self.rows:>10,} rows   {each}"


def for_each(count: int, limit: int = 0) -> Effort:
    """Run a ForEach with one task over *count* values."""
    return _effort(count, [_EACH.format(count=count, limit=limit)], {})


def for_each_item(count: int) -> Effort:
    """Run a ForEachItem over *count* batches of one row, each a subflow."""
    text = "".join(f"row {number}\n" for number in range(count))
    return _effort(count, [_BATCHES, _BATCH], {"file": {"$content": text}})


def _effort(count: int, sources: Sequence[str], inputs: dict[str, object]) -> Effort:
    with tempfile.TemporaryDirectory() as home, _connections() as opened:
        player = Player(Path(home))
        place = player.load(*sources)
        before = _rows(opened)
        started = time.perf_counter()
        execution_id = player.start(place, inputs)
        player.work(most=100 * count + 1_000)
        seconds, rows = time.perf_counter() - started, _rows(opened) - before
        state = str(player.executions.get(execution_id).execution.state)
    assert state == "SUCCESS", state
    return Effort(count, seconds, rows)


@contextmanager
def _connections() -> Iterator[list[sqlite3.Connection]]:
    """Gather the connections that are opened meanwhile."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite.connect

    def gathering(path: Path, synchronous: str = "NORMAL") -> sqlite3.Connection:
        opened.append(connect(path, synchronous))
        return opened[-1]

    sqlite.connect = gathering
    try:
        yield opened
    finally:
        sqlite.connect = connect


def _rows(opened: Sequence[sqlite3.Connection]) -> int:
    return sum(connection.total_changes for connection in opened)


def main(arguments: Sequence[str]) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.linear", description=__doc__)
    parser.add_argument("--values", default="100,1000,10000")
    parser.add_argument("--batches", default="100,1000")
    given = parser.parse_args(arguments)
    kinds = (
        ("ForEach, all at once", given.values, for_each),
        ("ForEach, one at a time", given.values, lambda count: for_each(count, limit=1)),
        ("ForEachItem", given.batches, for_each_item),
    )
    for title, counts, measure in kinds:
        print(title, flush=True)
        for count in filter(None, counts.split(",")):
            print(measure(int(count)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
