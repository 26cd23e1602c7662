"""A home with a real store and real repositories over HTTP; workers are not woken."""

import uuid
from datetime import timedelta

import pytest

from gitsync.sync import sync_once
from gitsync.wiring import world_of
from runner.settings import Settings, SourceCredentials, SourceSettings
from runner.store.base import ExecutionFilter
from runner.wiring import open_runtime

NAMESPACE = "company.team"
FLOW = """\
id: {id}
namespace: {namespace}
tasks:
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: hello
{rest}"""
ON_PUSH = """\
triggers:
  - id: pushed
    type: io.headrace.trigger.Commit
"""


def a_flow(flow_id, rest="", namespace=NAMESPACE):
    return FLOW.format(id=flow_id, namespace=namespace, rest=rest)


class Silence:
    """A queue that keeps the ids of what was sent."""

    def __init__(self):
        self.sent = []

    def send(self, wakes):
        self.sent += [wake.id for wake in wakes]

    def missing(self, wakes):
        return []

    def hint_stop(self, worker_id):
        pass


class Bench:
    """One process of Git sync over a home; `sync` is one round of polls."""

    def __init__(self, runtime, git):
        self.runtime = runtime
        self.world = world_of(runtime)
        self.git = git
        self.sources = []

    def repository(self, name="team", files=None, **settings):
        """Make a repository and a source of it; return the repository."""
        repo = self.git.create(f"{name}-{uuid.uuid4().hex[:8]}", files=files)
        self.add(name, repo.url, **settings)
        return repo

    def add(self, name, url, **settings):
        fields = {
            "namespace": NAMESPACE,
            "poll": timedelta(seconds=0.3),
            "timeout": timedelta(seconds=20),
            "credentials": SourceCredentials(
                username=self.git.credentials.username, password="${GIT_PASSWORD}"
            ),
        }
        self.sources.append(SourceSettings(name=name, url=url, **{**fields, **settings}))
        return self.sources[-1]

    def sync(self, **options):
        """Poll all once; return the outcomes by source."""
        outcomes = sync_once(self.world, self.sources, **options)
        return {outcome.source: outcome for outcome in outcomes}

    def one(self, **options):
        """Poll the only source; return what it came to."""
        [outcome] = self.sync(**options).values()
        return outcome

    @property
    def store(self):
        return self.runtime.store

    def flows(self, owner="git:team"):
        """The source's flows by id."""
        with self.store.read() as tx:
            return {row.flow_id: row for row in tx.flows.of_owner(owner)}

    def row(self, name="team"):
        with self.store.read() as tx:
            return tx.sources.find(name)

    def problems(self, name="team"):
        with self.store.read() as tx:
            return tx.source_problems.of_source(name)

    def executions(self):
        """All executions, oldest first."""
        with self.store.read() as tx:
            page = tx.executions.search(ExecutionFilter(), limit=100, ascending=True)
            return list(page.items)

    def files(self, commit, name="team"):
        """The namespace files of a commit: path → content."""
        with self.store.read() as tx:
            tree = tx.trees.of_commit(name, commit)
            found = tx.trees.files(tree) if tree else ()
        return {file.path: self._content(file.blob) for file in found}

    def _content(self, blob):
        from runner.storage.base import blob_path

        with self.runtime.storage.open(blob_path(blob)) as stream:
            return stream.read()

    def with_sources(self, **changes):
        self.sources = [
            SourceSettings.model_validate({**source.model_dump(), **changes})
            for source in self.sources
        ]


@pytest.fixture
def git_password(git_http, monkeypatch):
    monkeypatch.setenv("GIT_PASSWORD", git_http.credentials.password)


@pytest.fixture
def bench(tmp_path, git_http, git_password):
    with open_runtime(Settings(home=tmp_path / "home"), queue=Silence(), migrated=True) as runtime:
        made = Bench(runtime, git_http)
        yield made
        made.world.runner.close()


@pytest.fixture
def postgres_bench(tmp_path, git_http, git_password, postgres_database):
    settings = Settings(home=tmp_path / "home", database_url=postgres_database)
    with open_runtime(settings, queue=Silence(), migrated=True) as runtime:
        made = Bench(runtime, git_http)
        yield made
        made.world.runner.close()
