import pytest

from gitsync.addresses import (
    AddressInvalid,
    branch_ref,
    checked_sha,
    checked_url,
    resolved,
    same_repository,
    server_of,
    tag_ref,
)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/team/flows.git",
        "http://127.0.0.1:3000/a",
        "https://bot@git.example.org/a.git",
        "https://[::1]:3000/a.git",
        "ssh://git@git.example.org:2222/a.git",
        "git@github.com:acme/flows.git",
        "git://git.example.org/a",
    ],
)
def test_a_usual_address_is_taken(url):
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ext::sh -c touch% /tmp/x",
        "file:///etc",
        "/srv/git/a",
        "./a",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ssh://-oProxyCommand=x/a",
        "ssh://git@-oProxyCommand=x/a",
        "git@-oProxyCommand=x:a",
        "host:-a",
        "https://user:secret@git.example.org/a",
        "ftp://git.example.org/a",
        "https:///a",
        "https://a b/c",
        "https://git.example.org/a\n-c",
        "https://git.example.org:port/a",
        "no-colon",
    ],
)
def test_any_other_address_is_refused(url):
    with pytest.raises(AddressInvalid):
        checked_url(url)


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(AddressInvalid) as caught:
        checked_url("https://user:hunter22@git.example.org/a")
    assert "hunter22" not in caught.value.message


def test_a_path_is_taken_where_that_is_allowed():
    assert checked_url("/srv/git/a", allow_local=True) == "/srv/git/a"


@pytest.mark.parametrize("name", ["main", "release/1.0", "über", "a-b_c"])
def test_a_usual_branch_is_taken(name):
    assert branch_ref(name) == f"refs/heads/{name}"


@pytest.mark.parametrize(
    "name",
    ["", "-x", "a..b", "a b", "a~1", "a^", "a:b", "a\\b", "a*", "a.lock", "a/", "a//b", ".a/../b"],
)
def test_any_other_branch_is_refused(name):
    with pytest.raises(AddressInvalid):
        branch_ref(name)


def test_a_tag_that_looks_like_an_option_is_refused():
    with pytest.raises(AddressInvalid):
        tag_ref("--all")


@pytest.mark.parametrize("sha", ["abc", "A" * 40, "g" * 40, "-" * 40, "a" * 41, "a" * 40 + "\n"])
def test_only_a_full_lower_case_id_is_a_commit(sha):
    with pytest.raises(AddressInvalid):
        checked_sha(sha)


def test_a_trailing_git_or_slash_names_the_same_repository():
    assert same_repository("https://h/a.git", "https://h/a/")
    assert not same_repository("https://h/a", "https://h/b")


@pytest.mark.parametrize(
    ("url", "parent", "whole"),
    [
        ("https://h/x.git", "https://h/team/a.git", "https://h/x.git"),
        ("../b.git", "https://h/team/a.git", "https://h/team/b.git"),
        ("../../b.git", "https://h/team/a.git/", "https://h/b.git"),
        ("./b.git", "https://h/team/a.git", "https://h/team/a.git/b.git"),
        ("../b.git", "git@h:team/a.git", "git@h:team/b.git"),
        ("../../b.git", "git@h:team/a.git", "git@h:b.git"),
        ("../b.git", "/srv/git/a.git", "/srv/git/b.git"),
    ],
)
def test_a_submodules_url_may_be_relative(url, parent, whole):
    assert resolved(url, parent) == whole


@pytest.mark.parametrize("parent", ["https://h/a.git", "git@h:a.git"])
def test_a_relative_url_stays_on_its_server(parent):
    with pytest.raises(AddressInvalid, match="leads out"):
        resolved("../../../b.git", parent)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://me@H:8443/a", "https://h:8443"),
        ("git@h:team/a.git", "ssh://h"),
        ("ssh://git@h/a", "ssh://h"),
        ("/srv/a", ""),
    ],
)
def test_the_server_of_a_url(url, server):
    assert server_of(url) == server
