"""The product under measurement."""

import time

from tests.services.headrace import Headrace

NAMESPACE = "bench"


class Product(Headrace):
    """`headrace up` whose scripts run in processes; *database_url* None: SQLite."""

    def __init__(self, *, database_url: str | None = None) -> None:
        environment = {"HEADRACE_TASK_RUNNER__DEFAULT": "process"}
        if database_url:
            environment["HEADRACE_DATABASE_URL"] = database_url
        super().__init__(environment=environment)

    def run_and_wait(self, flow_id: str) -> tuple[dict, float]:
        """Run a flow to its end; returns the execution and the seconds from call to answer."""
        started = time.perf_counter()
        execution = self.start_flow(NAMESPACE, flow_id, query="?wait=true")
        return execution, time.perf_counter() - started
