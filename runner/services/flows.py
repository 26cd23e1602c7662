"""Flows that people write through API and dashboard; those that Git owns are only read here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.errors import ArgumentInvalid, NotFound, Refused
from runner.expressions import check, is_template
from runner.model.expressions_in import expression_problems
from runner.model.flow import Flow
from runner.model.parser import Parsed, parse_flow
from runner.model.problems import FlowInvalid, Problem
from runner.model.yaml import MalformedYaml, read
from runner.runtime import Runtime
from runner.runtime.pinning import GIT_OWNER
from runner.services.audit import record
from runner.services.principal import Principal
from runner.services.triggers import forget_triggers, store_triggers
from runner.store.base import FlowRow, Revision, Tx

API_OWNER = "api"
_SUBFLOW = "io.kestra.plugin.core.flow.Subflow"
_ANY_TASK = {"id": "any", "type": "io.kestra.plugin.core.log.Log", "message": ""}
_REVISION_LINE = re.compile(r"^revision:[ \t]*\d+[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_NAMESPACE_LINE = re.compile(r"^namespace:.*$", re.MULTILINE)
_DISABLED_LINE = re.compile(r"^disabled:.*(?:\r?\n|\Z)", re.MULTILINE)
_DOCUMENT_END = re.compile(r"^---[ \t]*\r?$\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StoredFlow:
    """A flow with one of its revisions; *parsed* is None, with an *error*, if it is not valid."""

    row: FlowRow
    revision: Revision
    parsed: Flow | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class FlowPage:
    """Flows and the cursor of the next page."""

    items: Sequence[StoredFlow]
    cursor: str | None = None


class Flows:
    """The use cases around flows."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    # ── look

    def get(
        self,
        namespace: str,
        flow_id: str,
        *,
        revision: int | None = None,
        with_deleted: bool = False,
    ) -> StoredFlow:
        """Return a flow with its active revision, or another one. Raises NotFound."""
        with self._runtime.store.read() as tx:
            row = _row(tx, namespace, flow_id)
            if row.deleted and not with_deleted and revision is None:
                raise NotFound("Flow not found")
            return self._stored(tx, row, revision or row.revision)

    def search(
        self,
        *,
        namespace: str | None = None,
        text: str | None = None,
        labels: Sequence[tuple[str, str]] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> FlowPage:
        """Return flows by namespace and id; *namespace* with those below it."""
        with self._runtime.store.read() as tx:
            page = tx.flows.search(
                namespace=namespace, text=text, labels=labels, limit=limit, cursor=cursor
            )
            items = [self._stored(tx, row, row.revision) for row in page.items]
        return FlowPage(items, page.cursor)

    def every(self, namespace: str | None = None) -> Iterator[FlowRow]:
        """Yield all flows that are not deleted."""
        with self._runtime.store.read() as tx:
            yield from every_row(tx, namespace)

    def revisions(self, namespace: str, flow_id: str) -> list[StoredFlow]:
        """Return all revisions, oldest first. Raises NotFound."""
        with self._runtime.store.read() as tx:
            row = _row(tx, namespace, flow_id)
            known = sorted(tx.revisions.of_flow(namespace, flow_id), key=lambda r: r.revision)
            return [self._stored(tx, row, each.revision) for each in known]

    def namespaces(self) -> list[str]:
        """Return the namespaces that have flows, keys or files."""
        with self._runtime.store.read() as tx:
            names = {row.namespace for row in every_row(tx, None)}
            names.update(tx.namespace_files.namespaces(), tx.kv.namespaces())
        return sorted(names)

    def validate(self, sources: Iterable[str]) -> list[Parsed]:
        """Return what there is to say about each text, its expressions and the subflows that it
        names too: as warnings, since such flows are saved as Kestra saves them.
        """
        parsed = [self._with_expressions(self.parse(source), source) for source in sources]
        with self._runtime.store.read() as tx:
            return [_with_revision(tx, _with_subflows(tx, each)) for each in parsed]

    def _with_expressions(self, parsed: Parsed, source: str) -> Parsed:
        registry = self._runtime.registry
        found = expression_problems(source, registry, check, severity="warning")
        return replace(parsed, problems=(*parsed.problems, *found)) if found else parsed

    def parse(self, source: str) -> Parsed:
        """Read one text."""
        self._check_size(source)
        return parse_flow(source, self._runtime.registry)

    def validate_part(self, source: str, section: str) -> Sequence[Problem]:
        """Return what there is to say about a single task (*section* ``tasks``) or trigger
        (``triggers``), given as YAML or JSON; places count from it.
        """
        self._check_size(source)
        try:
            written = read(source).value
        except MalformedYaml as exc:
            return [Problem(f"Illegal flow source: YAML parsing error: {exc.message}", "yaml")]
        around = {"id": "part", "namespace": "part", "tasks": [_ANY_TASK], section: [written]}
        parsed = parse_flow(json.dumps(around), self._runtime.registry)
        prefix = f"{section}[0]"
        return [
            replace(each, path=each.path.removeprefix(prefix).lstrip("."), line=None, column=None)
            for each in parsed.problems
            if not each.path.endswith("pluginDefaultsRef")  # the flow's defaults are not here
        ]

    # ── write

    def create(self, source: str, *, by: Principal) -> StoredFlow:
        """Store a new flow.

        Raises:
            FlowInvalid: the text is wrong. ArgumentInvalid: there is such a flow.
        """
        flow = self._valid(source)
        with self._runtime.store.begin() as tx:
            row = tx.flows.find(flow.namespace, flow.id)
            if row is not None and not row.deleted:
                raise ArgumentInvalid(
                    f"Flow id already exists: {flow.namespace}.{flow.id} already exists"
                )
            return self._store(tx, flow, by)

    def update(self, namespace: str, flow_id: str, source: str, *, by: Principal) -> StoredFlow:
        """Store a new revision, unless the text is the one that is active.

        Raises:
            NotFound, FlowInvalid. Refused: Git owns the flow. ArgumentInvalid: the text is another
            flow's.
        """
        flow = self._valid(source)
        for what, given, stored in (
            ("id", flow.id, flow_id),
            ("namespace", flow.namespace, namespace),
        ):
            if given != stored:
                raise ArgumentInvalid(f"Illegal flow {what} update: '{stored}' to '{given}'")
        with self._runtime.store.begin() as tx:
            if _row(tx, namespace, flow_id).deleted:
                raise NotFound("Flow not found")
            return self._store(tx, flow, by)

    def save(self, flow: Flow, *, by: Principal) -> StoredFlow:
        """Store a flow that was parsed elsewhere: new, or as a new revision.

        Raises:
            Refused: Git owns it.
        """
        with self._runtime.store.begin() as tx:
            return self._store(tx, flow, by)

    def save_all(
        self,
        sources: Sequence[str],
        *,
        by: Principal,
        namespace: str | None = None,
        delete: bool = False,
        override: bool = False,
        allow_children: bool = False,
    ) -> tuple[list[StoredFlow], list[StoredFlow]]:
        """Store many flows, all or none; return those deleted and those stored.

        All must be of *namespace*, if it is given; with *override* they are moved there, with
        *allow_children* those below it are fine too. *delete* removes the namespace's others.
        """
        if override and namespace:
            sources = [with_namespace(source, namespace) for source in sources]
        flows = self._all_valid(sources)
        _check_together(flows, namespace, allow_children)
        with self._runtime.store.begin() as tx:
            gone = self._delete_others(tx, flows, namespace, by) if delete and namespace else []
            return gone, [self._store(tx, flow, by) for flow in flows]

    def delete(self, namespace: str, flow_id: str, *, by: Principal) -> None:
        """Delete a flow; its history stays. Raises NotFound; Refused if Git owns it."""
        with self._runtime.store.begin() as tx:
            row = _row(tx, namespace, flow_id)
            if row.deleted:
                raise NotFound("Flow not found")
            self._delete(tx, row, by)

    def set_disabled(
        self, namespace: str, flow_id: str, disabled: bool, *, by: Principal
    ) -> StoredFlow:
        """Switch a flow by a new revision whose text says so."""
        stored = self.get(namespace, flow_id)
        source = with_disabled(stored.revision.source, disabled)
        return self.update(namespace, flow_id, source, by=by)

    # ── parts

    def _valid(self, source: str) -> Flow:
        parsed = self.parse(source)
        if parsed.flow is None:
            raise FlowInvalid(p for p in parsed.problems if p.severity == "error")
        return parsed.flow

    def _all_valid(self, sources: Sequence[str]) -> list[Flow]:
        parsed = self.validate(sources)
        problems = [
            replace(problem, path=f"{each.flow_id or index}: {problem.path}".rstrip(": "))
            for index, each in enumerate(parsed)
            for problem in each.problems
            if problem.severity == "error"
        ]
        if problems:
            raise FlowInvalid(problems)
        return [each.flow for each in parsed if each.flow is not None]

    def _check_size(self, source: str) -> None:
        limit = self._runtime.settings.limits.flow_bytes
        if len(source.encode()) > limit:
            raise ArgumentInvalid(f"a flow may have {limit} bytes at most")

    def _store(self, tx: Tx, flow: Flow, by: Principal) -> StoredFlow:
        row = tx.flows.find(flow.namespace, flow.id)
        if row is not None:
            check_is_ours(row)
            if not row.deleted and not _differs(tx, row, flow.source):
                return self._stored(tx, row, row.revision)
        number = (row.last_revision if row else 0) + 1
        revision = _revision(self._runtime, flow, number, by)
        tx.revisions.add(revision)
        new_row = _active_row(self._runtime, flow, number, row)
        tx.flows.save(new_row)
        flow = replace(flow, revision=number)
        store_triggers(self._runtime, tx, flow)
        subject = f"{flow.namespace}/{flow.id}"
        record(self._runtime, tx, by, "flow.save", subject, revision=number)
        return StoredFlow(new_row, revision, flow)

    def _delete_others(
        self, tx: Tx, flows: Sequence[Flow], namespace: str, by: Principal
    ) -> list[StoredFlow]:
        staying = {flow.id for flow in flows}
        rows = [
            row
            for row in every_row(tx, namespace)
            if row.namespace == namespace and row.flow_id not in staying and row.owner == API_OWNER
        ]
        return [self._delete(tx, row, by) for row in rows]

    def _delete(self, tx: Tx, row: FlowRow, by: Principal) -> StoredFlow:
        check_is_ours(row)
        active = tx.revisions.get(row.namespace, row.flow_id, row.revision)
        number = row.last_revision + 1
        gone = replace(
            active,
            revision=number,
            deleted=True,
            created_at=self._runtime.clock.now(),
            created_by=by.name,
        )
        tx.revisions.add(gone)
        new_row = replace(
            row, revision=number, last_revision=number, deleted=True, updated_at=gone.created_at
        )
        tx.flows.save(new_row)
        forget_triggers(tx, row.namespace, row.flow_id)
        record(self._runtime, tx, by, "flow.delete", f"{row.namespace}/{row.flow_id}")
        return self._stored(tx, new_row, number)

    def _stored(self, tx: Tx, row: FlowRow, number: int) -> StoredFlow:
        revision = tx.revisions.find(row.namespace, row.flow_id, number)
        if revision is None:
            raise NotFound("Flow not found")
        try:
            parsed = self._runtime.flows.get(tx, row.namespace, row.flow_id, number)
        except FlowInvalid as exc:
            return StoredFlow(row, revision, None, exc.message)
        return StoredFlow(row, revision, parsed)


# ── texts ────────────────────────────────────────────────────────────────────────────────────────


def split_documents(text: str) -> list[str]:
    """Return the YAML documents of a text, split at lines ``---``; empty ones are left out."""
    return [part for part in _DOCUMENT_END.split(text) if part.strip()]


def with_namespace(source: str, namespace: str) -> str:
    """Return the text with another line ``namespace:``."""
    line = f"namespace: {namespace}"
    changed, count = _NAMESPACE_LINE.subn(line, source, count=1)
    return changed if count else f"{line}\n{source}"


def with_disabled(source: str, disabled: bool) -> str:
    """Return the text with ``disabled: true``, or without that line."""
    rest = _DISABLED_LINE.sub("", source)
    if not disabled:
        return rest
    return f"{rest.rstrip()}\ndisabled: true\n"


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same, a line ``revision:`` apart."""
    return _REVISION_LINE.sub("", one, count=1) == _REVISION_LINE.sub("", other, count=1)


# ── small answers ────────────────────────────────────────────────────────────────────────────────


def every_row(tx: Tx, namespace: str | None) -> Iterator[FlowRow]:
    """Yield all flows that are not deleted, of a namespace and those below it."""
    cursor: str | None = None
    while True:
        page = tx.flows.search(namespace=namespace, limit=500, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def check_is_ours(row: FlowRow) -> None:
    """Raise Refused if Git owns the flow."""
    if row.owner != API_OWNER and not row.deleted:
        name = row.owner.removeprefix(GIT_OWNER)
        raise Refused(
            f"the flow {row.namespace}.{row.flow_id} belongs to the Git source '{name}':"
            " change it there"
        )


def _with_subflows(tx: Tx, parsed: Parsed) -> Parsed:
    """Warn of subflows that are not there or switched off, where their names are no expressions."""
    found = []
    for index, task in enumerate(parsed.flow.tasks if parsed.flow else ()):
        namespace, flow_id = (str(task.properties.get(key)) for key in ("namespace", "flowId"))
        if task.type != _SUBFLOW or is_template(namespace) or is_template(flow_id):
            continue
        row = tx.flows.find(namespace, flow_id)
        if row is None or row.deleted or row.disabled:
            fault = "not found" if row is None or row.deleted else "is disabled"
            message = f"The subflow '{flow_id}' {fault} in namespace '{namespace}'."
            path = f"tasks[{index}].flowId"
            found.append(Problem(message, "rule", path, severity="warning", subject=task.id))
    return replace(parsed, problems=(*parsed.problems, *found)) if found else parsed


def _with_revision(tx: Tx, parsed: Parsed) -> Parsed:
    """Say whether the revision in the text is another one than a new one would get."""
    if parsed.revision is None or parsed.namespace is None or parsed.flow_id is None:
        return parsed
    row = tx.flows.find(parsed.namespace, parsed.flow_id)
    is_next = parsed.revision == (row.last_revision if row else 0) + 1
    return replace(parsed, is_outdated=not is_next)


def _row(tx: Tx, namespace: str, flow_id: str) -> FlowRow:
    row = tx.flows.find(namespace, flow_id)
    if row is None:
        raise NotFound("Flow not found")
    return row


def _differs(tx: Tx, row: FlowRow, source: str) -> bool:
    active = tx.revisions.find(row.namespace, row.flow_id, row.revision)
    return active is None or active.deleted or not same_text(active.source, source)


def _revision(runtime: Runtime, flow: Flow, number: int, by: Principal) -> Revision:
    return Revision(
        namespace=flow.namespace,
        flow_id=flow.id,
        revision=number,
        source=flow.source,
        digest=hashlib.sha256(flow.source.encode()).hexdigest(),
        created_at=runtime.clock.now(),
        created_by=by.name,
    )


def _active_row(runtime: Runtime, flow: Flow, number: int, before: FlowRow | None) -> FlowRow:
    fields: dict[str, Any] = {
        "revision": number,
        "last_revision": number,
        "owner": API_OWNER,
        "updated_at": runtime.clock.now(),
        "disabled": flow.disabled,
        "labels": flow.labels,
        "description": flow.description,
        "absent": False,
        "deleted": False,
        "blocked": False,
        "path": None,
        "commit": None,
    }
    if before is not None:
        return replace(before, **fields)
    return FlowRow(namespace=flow.namespace, flow_id=flow.id, **fields)


def _check_together(flows: Sequence[Flow], namespace: str | None, allow_children: bool) -> None:
    seen: set[tuple[str, str]] = set()
    problems = []
    for flow in flows:
        if (flow.namespace, flow.id) in seen:
            problems.append(Problem(f"the flow {flow.id} is there twice", "duplicate", flow.id))
        seen.add((flow.namespace, flow.id))
        is_child = allow_children and flow.namespace.startswith(f"{namespace}.")
        if namespace and flow.namespace != namespace and not is_child:
            message = f"flow namespace '{flow.namespace}' is invalid: it must be '{namespace}'"
            problems.append(Problem(message, "border", flow.id))
    if problems:
        raise FlowInvalid(problems)
