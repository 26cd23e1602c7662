from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitsync.access import Access, explained
from gitsync.objects import parse_commit, parse_differences, parse_entries, parse_refs
from gitsync.source import backoff
from runner.settings import SourceCredentials, SourceSettings

A, B = "a" * 40, "b" * 40


def test_an_annotated_tag_gives_the_commit_it_names():
    listing = f"{A}\trefs/heads/main\n{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n".encode()

    assert parse_refs(listing) == {"refs/heads/main": A, "refs/tags/v1": B}


def test_a_listing_of_a_tree_may_hold_any_name():
    records = [f"100644 blob {A}\t_flows/a\tb\nc.yaml", f"160000 commit {B}\tlib", ""]
    listing = "\0".join(records).encode()

    first, second = parse_entries(listing)

    assert (first.path, first.mode, first.blob) == ("_flows/a\tb\nc.yaml", "100644", A)
    assert (second.kind, second.path) == ("commit", "lib")


def test_differences_have_both_sides():
    zero = "0" * 40
    listing = (
        f":100644 100644 {A} {B} M\0x\0:000000 160000 {zero} {B} A\0lib\0"
        f":120000 000000 {A} {zero} D\0link\0"
    ).encode()

    changed, added, removed = parse_differences(listing)

    assert (changed.old.blob, changed.new.blob) == (A, B)
    assert (added.old, added.new.kind) == (None, "commit")
    assert (removed.old.mode, removed.new) == ("120000", None)


def test_a_commit_is_read_from_its_object():
    content = (
        f"tree {A}\nparent {B}\nauthor Ann Übel <ann@example.org> 1 +0000\n"
        "committer Bob <b> 1767607200 +0200\ngpgsig -----BEGIN\n two lines\n\nFix it\n\nWhy\n"
    ).encode()

    commit = parse_commit(A, content)

    assert (commit.author, commit.email) == ("Ann Übel", "ann@example.org")
    assert commit.at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert commit.message == "Fix it\n\nWhy"


def test_a_commit_may_have_its_own_encoding_or_hardly_anything():
    latin = "tree x\nauthor Jörg <j> 1 +0000\nencoding ISO-8859-1\n\nÄ".encode("latin-1")

    assert parse_commit(A, latin).author == "Jörg"
    assert parse_commit(A, b"tree x\nencoding nonsense\n\nm").message == "m"


@pytest.mark.parametrize(
    ("password", "told"),
    [("e", "fatal: repository 'hele' not found"), ("hele", "fatal: repository '******' not found")],
)
def test_a_password_is_masked_unless_that_would_shred_the_words(password, told):
    access = Access("https://h/a", "bot", password)

    assert explained("fatal: repository 'hele' not found", access).splitlines()[0] == told


def test_what_a_task_gave_is_called_by_its_properties():
    error = "fatal: Authentication failed for 'https://h/a'"

    assert "`credentials`" in explained(error, Access("https://h/a"))
    assert "`username` and `password`" in explained(error, Access("https://h/a", is_of_task=True))


def test_no_proxy_and_a_passphrase_are_in_the_environment(tmp_path):
    access = Access("ssh://h/a", passphrase="sesame", askpass=tmp_path / "ask", no_proxy=True)

    variables = access.environment()

    assert variables["NO_PROXY"] == variables["no_proxy"] == "*"
    assert variables["HEADRACE_GIT_PASSPHRASE"] == "sesame"
    assert variables["SSH_ASKPASS"] == str(tmp_path / "ask")
    assert "BatchMode=no" in variables["GIT_SSH_COMMAND"]
    assert "sesame" not in repr(access)


def test_a_password_is_in_the_environment_alone_and_tied_to_its_host():
    access = Access("https://git.example.org:8443/a.git", "bot", "p4ss w/rd")

    variables = access.environment()

    assert [name for name, value in variables.items() if "p4ss" in value] == [
        "HEADRACE_GIT_PASSWORD"
    ]
    assert "credential.https://git.example.org:8443.helper" in variables.values()
    assert "p4ss" not in repr(access)


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access("https://h/a"), "http:https:ssh:git"),
        (Access("/srv/a", allow_local=True), "file"),
        (Access("/srv/a"), "http:https:ssh:git"),
        (Access("https://h/a", allow_local=True), "http:https:ssh:git"),
    ],
)
def test_only_the_protocols_that_are_needed_are_allowed(access, expected):
    assert access.environment()["GIT_ALLOW_PROTOCOL"] == expected


def test_ssh_asks_nothing_and_checks_the_host_against_its_own_file():
    access = Access("git@h:a", ssh_key=Path("/k e/y"), known_hosts=Path("/h"))

    command = access.environment()["GIT_SSH_COMMAND"]

    assert "BatchMode=yes" in command
    assert "StrictHostKeyChecking=yes" in command
    assert "UserKnownHostsFile=/h" in command
    assert "-i '/k e/y'" in command


def test_an_access_comes_from_a_sources_settings(monkeypatch):
    monkeypatch.setenv("GIT_PASSWORD", "hunter22")
    credentials = SourceCredentials(username="bot", password="${GIT_PASSWORD}")
    source = SourceSettings(name="team", url="https://h/a", credentials=credentials)

    assert Access.of(source).password == "hunter22"


def test_a_relative_path_is_seen_from_where_we_were_started():
    source = SourceSettings(name="here", url=".", allow_local=True)

    assert Access.of(source).url == str(Path.cwd())


def test_a_failure_is_told_in_gits_words_with_advice_and_without_the_secret():
    access = Access("https://h/a", "bot", "hunter22")

    message = explained("hint: x\nfatal: Authentication failed for 'hunter22'\n", access)

    assert message == (
        "fatal: Authentication failed for '******'\n"
        "Try: check the user name and password in `credentials`"
    )


def test_a_silent_failure_still_says_what_to_try():
    assert explained("").splitlines()[-1].startswith("Try: ")


def test_failures_in_a_row_wait_twice_as_long_each_up_to_a_bound():
    poll = timedelta(seconds=10)

    assert backoff(poll, 1) == timedelta(seconds=20)
    assert backoff(poll, 2) == timedelta(seconds=40)
    assert backoff(poll, 50) == timedelta(minutes=5)
    assert backoff(timedelta(hours=1), 50) == timedelta(hours=1)
