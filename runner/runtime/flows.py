"""Parsed flows by (namespace, id, revision): once a process, since revisions never change."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from runner.model.flow import Flow
from runner.model.parser import parse_flow
from runner.model.problems import FlowInvalid
from runner.registry import Registry
from runner.store.base import Tx

_CAPACITY = 2_000


class FlowCache:
    """Hands out frozen flows; safe for many threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._flows: OrderedDict[tuple[str, str, int], Flow] = OrderedDict()
        self._lock = Lock()

    def get(self, tx: Tx, namespace: str, flow_id: str, revision: int) -> Flow:
        """Return the parsed flow of a revision.

        Raises:
            NotFound: no such revision. FlowInvalid: its text is not valid (any more).
        """
        key = (namespace, flow_id, revision)
        with self._lock:
            if flow := self._flows.get(key):
                self._flows.move_to_end(key)
                return flow
        stored = tx.revisions.get(namespace, flow_id, revision)
        parsed = parse_flow(stored.source, self._registry, namespace=namespace)
        if parsed.flow is None:
            raise FlowInvalid(parsed.problems)
        flow = replace(parsed.flow, revision=revision)
        with self._lock:
            self._flows[key] = flow
            if len(self._flows) > _CAPACITY:
                self._flows.popitem(last=False)
        return flow
