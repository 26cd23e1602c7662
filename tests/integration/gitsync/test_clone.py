"""The task git.Clone against a real server."""

import subprocess
import threading
import time
from dataclasses import replace

import pytest
from pydantic import ValidationError

from gitsync.access import Access
from gitsync.cloning import access_of
from gitsync.tasks import Clone
from runner.model.logs import Level
from runner.plugin import TaskError, TaskStopped
from runner.settings import SourceCredentials, SourceSettings
from runner.testing import IDENTITY, FakeRunContext

TYPE = "io.kestra.plugin.git.Clone"


def settings(tmp_path, source=None, clones_bytes=10**9):
    return {
        "git.source": source,
        "home": tmp_path / "home",
        "limits.clones_bytes": clones_bytes,
    }


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
            settings=settings(tmp_path, source if own else None),
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
    ctx = FakeRunContext(tmp_path, settings=settings(tmp_path))

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
    ctx = FakeRunContext(tmp_path, settings=settings(tmp_path))
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


def test_settings_are_those_of_the_clone(clone):
    _, ctx = clone(branch="main", git_config={"core.fileMode": False, "user.name": "-Ada"})

    assert git(ctx.working_dir, "config", "--local", "core.fileMode") == "false"
    assert git(ctx.working_dir, "config", "--local", "user.name") == "-Ada"


@pytest.mark.parametrize("key", ["core", "core.x\n[a]", "--global", ".x"])
def test_what_is_no_setting_is_refused(key):
    with pytest.raises(ValidationError, match="no name of a Git setting"):
        Clone(type=TYPE, git_config={key: "x"})


def test_a_repository_that_is_there_does_not_choose_what_git_does(clone, repo, tmp_path):
    repo.push({".gitattributes": "* filter=evil\n"})
    folder = tmp_path / "attempt" / "working-dir"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "config", "filter.evil.smudge", f"touch {tmp_path}/ran; cat")

    clone(branch="main")

    assert (folder / "a.txt").exists()
    assert not (tmp_path / "ran").exists()


def test_tags_of_what_is_cloned_come_with_it_unless_left_out(clone, repo):
    repo.git("tag", "v1")
    repo.push({"a.txt": "two"})
    repo.git("tag", "v2")
    repo.git("push", "--quiet", "--tags", "origin")

    _, shallow = clone(branch="main", folder="shallow")
    _, whole = clone(branch="main", depth=0, folder="whole")
    _, none = clone(branch="main", no_tags=True, folder="none")

    assert git(shallow.working_dir, "tag") == "v2"
    assert git(whole.working_dir, "tag").split() == ["v1", "v2"]
    assert git(none.working_dir, "tag") == ""


def test_files_of_lfs_are_told_to_be_pointers(clone, repo):
    repo.push({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})

    _, ctx = clone(branch="main")

    assert "only pointers" in ctx.log.messages(Level.WARN)[0]


def test_other_branches_come_where_that_is_said(clone, repo):
    repo.git("push", "--quiet", "origin", "HEAD:refs/heads/other/one")

    _, said = clone(branch="main", clone_all_branches=True, folder="said")
    _, plain = clone(branch="main", folder="plain")

    assert "origin/other/one" in git(said.working_dir, "branch", "--remotes")
    assert "other" not in git(plain.working_dir, "branch", "--remotes")


def add_submodule(repo, url, other, path):
    """Let a repository hold another's head at *path*, by a URL that may be relative."""
    repo.git("submodule", "add", "--quiet", other.url_with_password, path)
    repo.git("config", "--file", ".gitmodules", f"submodule.{path}.url", url)
    return repo.push({}, "Add a submodule")


def test_submodules_come_with_theirs(clone, repo, git_http):
    inner = git_http.create(f"{repo.name}-inner", files={"inner.txt": "inner"})
    outer = git_http.create(f"{repo.name}-outer", files={"outer.txt": "outer"})
    add_submodule(outer, inner.url, inner, "deep/inner")
    add_submodule(repo, f"../{outer.name}.git", outer, "outer")

    _, ctx = clone(own=False, url=repo.url, clone_submodules=True, **given(git_http))

    assert (ctx.working_dir / "outer/outer.txt").read_text() == "outer"
    assert (ctx.working_dir / "outer/deep/inner/inner.txt").read_text() == "inner"
    assert git(ctx.working_dir, "status", "--porcelain") == ""


def test_without_being_asked_for_submodules_stay_empty(clone, repo, git_http):
    other = git_http.create(f"{repo.name}-other", files={"x": "x"})
    pinned = add_submodule(repo, f"../{other.name}.git", other, "other")

    _, ctx = clone(pinned=pinned)

    assert list((ctx.working_dir / "other").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/etc", "path on this machine"),
        ("ext::sh -c x", "no repository URL"),
        ("../../../../x.git", "leads out of"),
    ],
)
def test_a_submodule_of_a_forbidden_address_is_refused(clone, repo, git_http, url, message):
    other = git_http.create(f"{repo.name}-other", files={"x": "x"})
    pinned = add_submodule(repo, url, other, "other")

    with pytest.raises(TaskError, match=message):
        clone(pinned=pinned, clone_submodules=True)


def test_a_submodule_of_another_server_gets_no_password():
    parent = Access("https://git.example.org/team/a.git", "bot", "p4ss-word", allow_local=True)

    assert access_of("https://evil.example.org/b.git", parent).password == ""
    assert access_of("https://git.example.org:8443/b.git", parent).password == ""
    assert access_of("http://git.example.org/b.git", parent).password == ""
    assert access_of("https://git.example.org/b.git", parent).password == "p4ss-word"
    assert access_of("../b.git", parent).url == "https://git.example.org/team/b.git"


def test_the_kept_repositories_are_bounded(repo, git_http, tmp_path):
    kept = tmp_path / "home" / "clones"

    def clone(url, clones_bytes):
        ctx = FakeRunContext(tmp_path, settings=settings(tmp_path, clones_bytes=clones_bytes))
        Clone(type=TYPE, url=url, **given(git_http)).run(ctx)
        return {path.name for path in kept.glob("*.git")}

    other = git_http.create(f"{repo.name}-other", files={"x": "x"})
    [first] = clone(repo.url, 10**9)
    both = clone(other.url, 10**9)

    one = sum(path.lstat().st_size for path in (kept / first).rglob("*") if path.is_file())
    [second] = clone(other.url, one * 3 // 2)
    assert both == {first, second}
    assert second != first
    assert clone(other.url, 1) == set()
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize("kind", ["tags", "heads"])
def test_names_that_git_would_not_give_are_left_out(clone, repo, kind):
    repo.git("update-ref", f"refs/{kind}/-odd", "HEAD")
    repo.git("push", "--quiet", "origin", f"refs/{kind}/-odd")

    _, ctx = clone(url=repo.url, branch="main", cloneAllBranches=True)

    refs = git(ctx.working_dir, "for-each-ref", "--format=%(refname)").split()
    assert "refs/heads/main" in refs
    assert not any("odd" in ref for ref in refs)
