"""Git over SSH, with a real server: the task git.Clone, and sources."""

import pytest

from gitsync.tasks import Clone
from runner.plugin import TaskError
from runner.settings import SourceCredentials
from runner.testing import FakeRunContext
from tests.integration.gitsync.conftest import a_flow

TYPE = "io.kestra.plugin.git.Clone"


@pytest.fixture
def repo(git_http, request):
    name = f"ssh-{abs(hash(request.node.nodeid))}"
    return git_http.create(name, files={"a.txt": "one", "_flows/first.yaml": a_flow("first")})


@pytest.fixture
def clone(repo, git_ssh, tmp_path):
    """Run the task with the server's key known, and given properties; returns its context."""

    def run(key=git_ssh.key, hosts=git_ssh.known_hosts, **properties):
        ctx = FakeRunContext(
            tmp_path,
            settings={
                "git.source": None,
                "home": tmp_path / "home",
                "limits.clones_bytes": 10**9,
            },
        )
        given = {"private_key": key.read_text(), "known_hosts": hosts, **properties}
        Clone(type=TYPE, url=git_ssh.url(repo.path), **given).run(ctx)
        return ctx

    return run


def test_a_key_opens_a_repository_whose_host_is_known(clone):
    assert (clone().working_dir / "a.txt").read_text() == "one"


def test_a_second_clone_with_the_key_meets_the_first_ones_repository(clone, tmp_path):
    clone()
    clone()

    assert len(list((tmp_path / "home" / "clones").glob("*.git"))) == 1


def test_a_passphrase_opens_the_key(clone, git_ssh):
    ctx = clone(key=git_ssh.locked_key, passphrase=git_ssh.passphrase)

    assert (ctx.working_dir / "a.txt").exists()


def test_a_wrong_passphrase_is_told_and_not_shown(clone, git_ssh):
    with pytest.raises(TaskError, match="and `passphrase` if the key has one") as caught:
        clone(key=git_ssh.locked_key, passphrase="not the one")

    assert "not the one" not in caught.value.message


def test_a_key_that_is_not_let_in(clone, git_ssh):
    with pytest.raises(TaskError, match=r"Permission denied(.|\n)*Try: check `privateKey`"):
        clone(key=git_ssh.other_key)


@pytest.mark.parametrize("hosts", ["example.org ssh-ed25519 AAAA", None])
def test_a_host_that_is_not_known_is_refused(clone, hosts):
    with pytest.raises(TaskError, match="add the host's key to `knownHosts`"):
        clone(hosts=hosts)


def test_a_host_with_another_key_is_refused(clone, git_ssh):
    with pytest.raises(TaskError, match="another server may be answering"):
        clone(hosts=git_ssh.host_line(git_ssh.other_key))


def test_a_host_may_be_trusted_without_a_look(clone):
    assert (clone(hosts=None, check_host_key=False).working_dir / "a.txt").exists()


def test_submodules_of_the_same_server_are_opened_with_the_key(clone, repo, git_http):
    library = git_http.create(f"{repo.name}-lib", files={"lib.txt": "lib"})
    repo.git("submodule", "add", "--quiet", library.url_with_password, "lib")
    repo.git("config", "--file", ".gitmodules", "submodule.lib.url", f"../{library.name}.git")
    repo.push({}, "Add a library")

    ctx = clone(clone_submodules=True)

    assert (ctx.working_dir / "lib/lib.txt").read_text() == "lib"


def test_a_source_is_polled_over_ssh(bench, repo, git_ssh, tmp_path):
    hosts = tmp_path / "known_hosts"
    hosts.write_text(git_ssh.known_hosts)
    credentials = SourceCredentials(ssh_key=git_ssh.key, known_hosts=hosts)
    bench.add("team", git_ssh.url(repo.path), credentials=credentials)
    bench.sync()
    repo.push({"_flows/second.yaml": a_flow("second")})

    bench.sync()

    assert set(bench.flows()) == {"first", "second"}


def test_a_source_whose_host_is_not_known_says_so(bench, repo, git_ssh, tmp_path):
    hosts = tmp_path / "known_hosts"
    hosts.write_text(git_ssh.host_line(git_ssh.other_key))
    credentials = SourceCredentials(ssh_key=git_ssh.key, known_hosts=hosts)
    bench.add("team", git_ssh.url(repo.path), credentials=credentials)

    outcome = bench.one()

    assert "`credentials.known_hosts`" in outcome.error
    assert bench.flows() == {}
