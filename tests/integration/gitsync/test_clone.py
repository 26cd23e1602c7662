"""The task git.Clone against a real server."""

import subprocess
import threading
import time
from dataclasses import replace

import pytest
from pydantic import ValidationError

from gitsync.tasks import Clone
from runner.plugin import TaskError, TaskStopped
from runner.settings import SourceCredentials, SourceSettings
from runner.testing import IDENTITY, FakeRunContext

TYPE = "io.kestra.plugin.git.Clone"


@pytest.fixture
def repo(git_http, request):
    name = f"clone-{abs(hash(request.node.nodeid))}"
    return git_http.create(name, files={"a.txt": "one", "sub/b.txt": "b"})


@pytest.fixture
def clone(repo, tmp_path, git_http, monkeypatch):
    """Run the task with given properties; returns its outputs and context."""
    monkeypatch.setenv("GIT_PASSWORD", git_http.credentials.password)
    source = SourceSettings(
        name="team",
        url=repo.url,
        credentials=SourceCredentials(
            username=git_http.credentials.username, password="${GIT_PASSWORD}"
        ),
    )

    def run(pinned=None, own=True, folder="attempt", **properties):
        ctx = FakeRunContext(
            tmp_path / folder,
            settings={"git.source": source if own else None, "home": tmp_path / "home"},
            identity=replace(IDENTITY, source="team", commit=pinned),
        )
        (tmp_path / folder).mkdir(exist_ok=True)
        return Clone(type=TYPE, **properties).run(ctx), ctx

    return run


def given(git_http):
    return {
        "username": git_http.credentials.username,
        "password": git_http.credentials.password,
    }


def test_without_a_url_it_is_exactly_the_executions_commit(clone, repo):
    pinned = repo.git("rev-parse", "HEAD")
    repo.push({"a.txt": "two"})

    outputs, ctx = clone(pinned=pinned)

    assert outputs.commit == pinned
    assert (ctx.working_dir / "a.txt").read_text() == "one"
    assert (ctx.working_dir / "sub" / "b.txt").read_text() == "b"


def test_the_sources_own_url_means_the_same(clone, repo):
    pinned = repo.git("rev-parse", "HEAD")
    repo.push({"a.txt": "two"})

    outputs, _ = clone(pinned=pinned, url=repo.url.removesuffix(".git"))

    assert outputs.commit == pinned


def test_another_url_gives_its_default_branch(clone, repo, git_http):
    newest = repo.push({"a.txt": "two"})

    outputs, ctx = clone(own=False, url=repo.url, directory="src", **given(git_http))

    assert outputs.commit == newest
    assert outputs.directory == str(ctx.working_dir / "src")
    assert git(ctx.working_dir / "src", "branch", "--show-current") == "main"
    assert git(ctx.working_dir / "src", "rev-list", "--count", "HEAD") == "1"


def git(folder, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_commit_goes_before_tag_and_tag_before_branch(clone, repo):
    first = repo.git("rev-parse", "HEAD")
    repo.git("tag", "--annotate", "v1", "--message", "One")
    repo.git("push", "--quiet", "origin", "v1")
    second = repo.push({"a.txt": "two"})
    repo.git("push", "--quiet", "origin", "HEAD:refs/heads/other")
    third = repo.push({"a.txt": "three"})

    assert clone(branch="other")[0].commit == second
    assert clone(branch="other", tag="v1")[0].commit == first
    assert clone(branch="other", tag="v1", commit=third)[0].commit == third


def test_a_commit_may_be_abbreviated_and_brings_its_history(clone, repo, tmp_path, git_http):
    repo.push({"a.txt": "two"})
    second = repo.git("rev-parse", "HEAD")
    repo.push({"a.txt": "three"})
    ctx = FakeRunContext(tmp_path, settings={"git.source": None, "home": tmp_path / "home"})

    task = Clone(type=TYPE, url=repo.url, commit=second[:8], **given(git_http))
    outputs = task.run(ctx)

    assert outputs.commit == second
    assert git(ctx.working_dir, "rev-list", "--count", "HEAD") == "2"


def test_a_branch_that_does_not_exist_is_begun_at_the_default_one(clone, repo):
    outputs, ctx = clone(branch="new")

    assert outputs.commit == repo.git("rev-parse", "HEAD")
    assert git(ctx.working_dir, "branch", "--show-current") == "new"
    assert "Branch new does not exist, creating it" in ctx.log.messages()


def test_a_directory_that_is_not_empty_keeps_its_files(clone, tmp_path):
    folder = tmp_path / "attempt" / "working-dir"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")

    clone(branch="main")

    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / "a.txt").exists()


def test_the_clone_holds_no_secret(clone, git_http):
    _, ctx = clone(branch="main")

    secret = git_http.credentials.password.encode()
    files = [path for path in ctx.working_dir.rglob("*") if path.is_file()]
    assert not [path for path in files if secret in path.read_bytes()]
    assert git_http.credentials.password not in str(ctx.log.messages())


def test_a_second_clone_fetches_nothing_that_is_here(clone, repo):
    pinned = repo.git("rev-parse", "HEAD")
    clone(pinned=pinned)
    repo.requests.clear()

    clone(pinned=pinned, folder="second")

    assert repo.requests == []


@pytest.mark.parametrize("directory", ["../out", "/etc", "a/../../b"])
def test_a_directory_outside_is_refused(clone, directory):
    with pytest.raises(TaskError, match="below the working directory"):
        clone(branch="main", directory=directory)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"tag": "none"}, "the tag none does not exist"),
        ({"commit": "not-a-commit"}, "is not a commit id"),
        ({"commit": "f" * 40}, "not our ref"),
        ({"url": "ext::sh -c x"}, "no repository URL"),
        ({"url": "/etc"}, "path on this machine"),
    ],
)
def test_a_failure_says_what_is_wrong(clone, properties, message):
    with pytest.raises(TaskError, match=message):
        clone(**properties)


def test_without_a_source_a_url_is_needed(clone):
    with pytest.raises(TaskError, match="`url` is missing"):
        clone(own=False)


def test_a_kill_ends_it(clone, repo, tmp_path):
    repo.delay_seconds = 30
    ctx = FakeRunContext(tmp_path, settings={"git.source": None, "home": tmp_path / "home"})
    timer = threading.Timer(0.5, ctx.stop)
    timer.start()
    begun = time.monotonic()

    with pytest.raises((TaskError, TaskStopped)):
        Clone(type=TYPE, url=repo.url).run(ctx)

    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("properties", [{"cloneAllBranches": False}, {"tag": "v1", "noTags": True}])
def test_what_does_not_fit_together_is_refused_as_kestra_does(properties):
    with pytest.raises(ValidationError, match="Invalid clone configuration"):
        Clone(type=TYPE, **properties)
