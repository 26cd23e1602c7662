"""All services of a process, made from its runtime."""

from __future__ import annotations

from dataclasses import dataclass

from runner.runtime import Runtime
from runner.services.audit import Audit
from runner.services.backfills import Backfills
from runner.services.catalogue import Catalogue
from runner.services.creation import Creator, DirectCreator
from runner.services.dependencies import Graph
from runner.services.executions import Executions
from runner.services.expressions import Expressions
from runner.services.files import Files
from runner.services.flows import Flows
from runner.services.inputs import Inputs
from runner.services.kv import Kv
from runner.services.logs import Logs
from runner.services.metrics import Metrics
from runner.services.sources import Sources
from runner.services.stored import StoredFiles
from runner.services.triggers import Triggers
from runner.services.webhooks import Webhooks


@dataclass(frozen=True)
class Services:
    """Every use case, by noun."""

    runtime: Runtime
    audit: Audit
    backfills: Backfills
    catalogue: Catalogue
    dependencies: Graph
    executions: Executions
    expressions: Expressions
    files: Files
    flows: Flows
    inputs: Inputs
    kv: Kv
    logs: Logs
    metrics: Metrics
    sources: Sources
    stored: StoredFiles
    triggers: Triggers
    webhooks: Webhooks


def open_services(runtime: Runtime, creator: Creator | None = None) -> Services:
    """Make the services; *creator* commits creations (default: one transaction each)."""
    inputs = Inputs(runtime)
    made_by = creator or DirectCreator(runtime)
    return Services(
        runtime=runtime,
        audit=Audit(runtime),
        backfills=Backfills(runtime),
        catalogue=Catalogue(runtime),
        dependencies=Graph(runtime),
        executions=Executions(runtime, inputs, made_by),
        expressions=Expressions(runtime),
        files=Files(runtime),
        flows=Flows(runtime),
        inputs=inputs,
        kv=Kv(runtime),
        logs=Logs(runtime),
        metrics=Metrics(runtime),
        sources=Sources(runtime),
        stored=StoredFiles(runtime),
        triggers=Triggers(runtime),
        webhooks=Webhooks(runtime, inputs, made_by),
    )
