"""``python -m tests.bench``: fixed workloads beside their floors, measured in one run.

    python -m tests.bench --only B1,B3 --json figures.json

`--only` takes families (B1, B2, B3, R40, W40). Each figure stands beside its floor, measured a
moment before on the same machine: only the ratio tells something.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

from tests.bench import floors, flows
from tests.bench.load import closed_loop, paced
from tests.bench.product import NAMESPACE, Product
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer

FAMILIES = ("B1", "B2", "B3", "R40", "W40")
_B1_CALLS, _B2_CALLS, _WARM_UP = 8_000, 3_000, 500
_PACED_PER_SECOND, _PACED_SECONDS = 200, 10
_IMAGE = "busybox:local"


@dataclass(frozen=True)
class Figure:
    """One measured value and the floor beside it; *ratio* is value / floor."""

    name: str
    value: float
    unit: str
    floor: str
    floor_value: float
    ratio: float


class Bench:
    """Runs the chosen families and gathers figures."""

    def __init__(self, only: set[str]) -> None:
        self.only = only
        self.figures: list[Figure] = []
        self.redis = RedisServer()

    def run(self) -> None:
        try:
            for database, suffix in (("sqlite", ""), ("postgresql", "-postgres")):
                with _database(database) as url, Product(database_url=url) as product:
                    self._throughput(product, suffix)
                    self._latencies(product, suffix)
                    self._scripts(product, suffix)
        finally:
            self.redis.stop()

    # ── families

    def _throughput(self, product: Product, suffix: str) -> None:
        for name, text, calls in (("B1", flows.B1, _B1_CALLS), ("B2", flows.B2, _B2_CALLS)):
            if name not in self.only:
                continue
            floor = floors.rq_jobs_per_minute(self.redis.url)
            product.add_flow(text)
            path = f"/api/v1/main/executions/webhook/{NAMESPACE}/{name.lower()}/bench"
            _burst(product, path, name.lower(), _WARM_UP)
            rate = _burst(product, path, name.lower(), calls)
            self._note(name + suffix, rate, "executions/min", "bare RQ no-op jobs/min", floor)
            if name == "B1":
                self._paced(product, path, suffix)

    def _paced(self, product: Product, path: str, suffix: str) -> None:
        """The time from a call that is due to the end of its execution, at 12,000 a minute."""
        floor = floors.rq_round_trip(self.redis.url)
        load = paced(product.port, path, _PACED_PER_SECOND, _PACED_SECONDS)
        assert load.refused == 0, f"{load.refused} calls were refused"
        _await_ended(product, "b1")
        spans = _spans(product, "b1", 1_000)
        percentiles = quantiles(spans, n=100)
        self._note(
            f"B1-answer-p95{suffix}",
            quantiles(load.latencies, n=100)[94],
            "s",
            "bare RQ round trip",
            floor,
        )
        self._note(f"B1-run-p50{suffix}", median(spans), "s", "bare RQ round trip", floor)
        self._note(f"B1-run-p95{suffix}", percentiles[94], "s", "bare RQ round trip", floor)

    def _latencies(self, product: Product, suffix: str) -> None:
        floor = floors.rq_round_trip(self.redis.url) if self.only & {"B3", "R40"} else 0.0
        if "B3" in self.only:
            for values in (100, 1_000, 10_000):
                product.add_flow(flows.b3(values))
                name = "B3" if values == 100 else f"B3-{values}"
                seconds = _best_of(product, f"b3-{values}", 5 if values < 10_000 else 1)
                self._note(name + suffix, seconds, "s", "bare RQ round trip", floor)
        if "R40" in self.only:
            product.add_flow(flows.R40)
            self._note(
                "R40" + suffix, _best_of(product, "r40", 5), "s", "bare RQ round trip", floor
            )

    def _scripts(self, product: Product, suffix: str) -> None:
        if "W40" not in self.only:
            return
        floor = floors.subprocess_loop(["/bin/sh", "-c", "true"], 40)
        product.add_flow(flows.w40("process"))
        seconds = _best_of(product, "w40-process", 3)
        self._note("W40-process" + suffix, seconds, "s", "plain subprocess loop", floor)
        import docker

        client = docker.from_env()
        floor = floors.docker_loop(client, _IMAGE, ["/bin/sh", "-c", "true"], 40)
        product.add_flow(flows.w40("docker", _IMAGE))
        seconds = _best_of(product, "w40-docker", 1)
        self._note("W40-docker" + suffix, seconds, "s", "plain Docker SDK loop", floor)

    def _note(self, name: str, value: float, unit: str, floor: str, floor_value: float) -> None:
        figure = Figure(name, value, unit, floor, floor_value, value / floor_value)
        self.figures.append(figure)
        print(
            f"{name:<24} {value:>12,.4g} {unit:<15} floor {floor_value:>10,.4g}  ({floor})"
            f"  ratio {figure.ratio:.3g}",
            flush=True,
        )


def _burst(product: Product, path: str, flow_id: str, calls: int) -> float:
    """Executions a minute, from the first call to the end of the last execution."""
    before = _ended_count(product, flow_id)
    started = time.perf_counter()
    load = closed_loop(product.port, path, calls)
    assert load.refused == 0, f"{load.refused} calls were refused"
    _await_ended(product, flow_id, before + calls)
    return calls / (time.perf_counter() - started) * 60


def _best_of(product: Product, flow_id: str, times: int) -> float:
    seconds = []
    for _ in range(times):
        execution, took = product.run_and_wait(flow_id)
        state = execution["state"]["current"]
        assert state == "SUCCESS", f"{flow_id} ended {state}: {execution['id']}\n{product.log}"
        seconds.append(took)
    return min(seconds)


def _await_ended(product: Product, flow_id: str, count: int | None = None) -> None:
    """Wait until no execution of the flow is under way (and *count* have ended)."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if _count(product, flow_id, "CREATED,RUNNING,QUEUED") == 0:
            return
        time.sleep(0.02)
    raise AssertionError(f"executions of {flow_id} have not ended\n{product.log}")


def _ended_count(product: Product, flow_id: str) -> int:
    return _count(product, flow_id, "SUCCESS,FAILED")


def _count(product: Product, flow_id: str, states: str) -> int:
    query = f"executions/search?namespace={NAMESPACE}&flowId={flow_id}&state={states}&size=1"
    return int(product.call("GET", query)["total"])


def _spans(product: Product, flow_id: str, count: int) -> list[float]:
    """Seconds from creation to end of the newest executions."""
    found: list[float] = []
    for page in range(1, count // 100 + 1):
        query = (
            f"executions/search?namespace={NAMESPACE}&flowId={flow_id}"
            f"&size=100&page={page}&sort=state.startDate:desc"
        )
        for execution in product.call("GET", query)["results"]:
            histories = execution["state"]["histories"]
            found.append(_seconds(histories[-1]["date"]) - _seconds(histories[0]["date"]))
    return found


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    server = PostgresServer(durable=True)
    try:
        yield server.url
    finally:
        server.stop()


def main(arguments: list[str], run: Callable[[Bench], None] = Bench.run) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default=",".join(FAMILIES), help="families, separated by commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    only = {name.strip().upper() for name in options.only.split(",") if name.strip()}
    if unknown := only - set(FAMILIES):
        parser.error(
            f"no such family: {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}"
        )
    bench = Bench(only)
    run(bench)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in bench.figures], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
