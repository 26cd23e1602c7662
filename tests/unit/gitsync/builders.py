"""Values for the tests of Git sync: valid by default, so that a test shows what matters."""

import hashlib
from datetime import UTC, datetime

from gitsync.changes import Known, Target
from gitsync.objects import Commit
from gitsync.reading import ReadFlow, Reading
from gitsync.tree import Comparison, Entry, read
from gitsync.triggers import Push
from runner.model.flow import Flow
from runner.model.problems import Problem
from runner.store.base import FlowRow

NAMESPACE = "company.team"
MOMENT = datetime(2026, 1, 5, 10, tzinfo=UTC)


def blob(text):
    return hashlib.sha1(text.encode()).hexdigest()


def entries(files):
    """Entries of ``path → content``; a content may be an Entry's (mode, kind)."""
    return [
        Entry(path, "100644", "blob", blob(content))
        if isinstance(content, str)
        else Entry(path, content[0], content[1], blob(path))
        for path, content in files.items()
    ]


def a_tree(files, namespace=NAMESPACE, path="."):
    return read(entries(files), path, namespace)


def a_comparison(old, new, namespace=NAMESPACE, is_whole=True):
    return Comparison(a_tree(old, namespace), a_tree(new, namespace), is_whole)


def a_target(**changes):
    fields = {
        "source": "team",
        "after": "b" * 40,
        "before": "a" * 40,
        "namespace": NAMESPACE,
        "owners": frozenset({"git:team"}),
        "files_id": "f" * 40,
    }
    return Target(**{**fields, **changes})


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def a_flow(flow_id, namespace=NAMESPACE, **changes):
    return Flow(id=flow_id, namespace=namespace, tasks=(), **changes)


def a_read(path, text="id: hello", flow_id="hello", namespace=NAMESPACE, problems=()):
    """A file that was read; with problems it holds no flow."""
    errors = [problem for problem in problems if problem.severity == "error"]
    return ReadFlow(
        path=path,
        text=text,
        digest=digest(text),
        flow=None if errors else a_flow(flow_id, namespace),
        problems=tuple(problems),
        namespace=namespace,
        flow_id=flow_id,
    )


def a_reading(*flows, **changes):
    return Reading(tuple(flows), **changes)


def a_row(flow_id="hello", path="_flows/hello.yaml", namespace=NAMESPACE, **changes):
    fields = {"revision": 1, "last_revision": 1, "owner": "git:team", "updated_at": MOMENT}
    return FlowRow(namespace=namespace, flow_id=flow_id, path=path, **{**fields, **changes})


def known(*rows, text="id: hello"):
    return {(row.namespace, row.flow_id): Known(row, digest(text)) for row in rows}


def an_error(message="wrong", code="value", line=None):
    return Problem(message, code, line=line)


def a_commit(message="Change", sha="b" * 40):
    return Commit(sha, "Ann", "ann@example.org", MOMENT, message)


def a_push(ref="refs/heads/main", changed=("_flows/hello.yaml",), message="Change", **changes):
    fields = {
        "source": "team",
        "url": "https://git.example.org/acme/flows.git",
        "after": "b" * 40,
        "before": "a" * 40,
    }
    commit = a_commit(message)
    return Push(ref=ref, commit=commit, changed=tuple(changed), **{**fields, **changes})
