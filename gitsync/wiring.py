"""Git sync's neighbours, made from a process's runtime."""

from __future__ import annotations

from functools import partial

from gitsync.firing import PushFiring
from gitsync.repo import GitRunner
from gitsync.world import World
from runner.model.flow import Flow
from runner.model.parser import Parsed, parse_flow
from runner.runtime import Runtime
from runner.services.triggers import store_triggers
from runner.store.base import Tx


def world_of(runtime: Runtime) -> World:
    """Return what Git sync needs of a runtime, with a Git runner of its own (close it)."""
    return World(
        store=runtime.store,
        storage=runtime.storage,
        home=runtime.settings.home,
        clock=runtime.clock,
        runner=GitRunner(),
        parse=partial(_parse, runtime),
        arm=partial(_arm, runtime),
        firing=PushFiring(runtime),
        flow_bytes=runtime.settings.limits.flow_bytes,
    )


def _parse(runtime: Runtime, text: str, namespace: str | None) -> Parsed:
    return parse_flow(text, runtime.registry, default_namespace=namespace)


def _arm(runtime: Runtime, tx: Tx, flow: Flow) -> None:
    store_triggers(runtime, tx, flow)
