"""One suite for every place where files may be kept."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import fsspec
import pytest

from runner import ids
from runner.errors import HeadraceError, InputInvalid, NotFound, SettingsInvalid
from runner.storage import open_storage
from runner.storage.database import CHUNK_BYTES
from runner.store import migrate, open_store

FOLDER = "/company/team/hello/executions/e1/"


KINDS = ["folder", "memory", "s3", "sqlite", "postgresql"]


@pytest.fixture(params=KINDS)
def storage(request, tmp_path):
    """An empty storage of each kind."""
    if request.param == "folder":
        yield open_storage("", tmp_path)
    elif request.param == "memory":
        yield open_storage(f"memory://{ids.new()}/prefix", tmp_path)
        fsspec.filesystem("memory").store.clear()
    elif request.param == "s3":
        yield from _in_s3(tmp_path)
    else:
        yield from _in_database(request, tmp_path)


def _in_s3(tmp_path):
    import boto3
    from moto import mock_aws

    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
        yield open_storage("s3://bucket/some/prefix", tmp_path)


def _in_database(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/headrace.db"
    else:
        url = request.getfixturevalue("postgres_url")
    migrate(url)
    store = open_store(url)
    storage = open_storage("database", tmp_path, store)
    storage.delete_all("/")
    yield storage
    store.close()


def put(storage, path, content=b"content"):
    return storage.put(path, io.BytesIO(content))


def content(storage, path):
    with storage.open(path) as file:
        return file.read()


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]
)
def test_what_is_put_comes_out(storage, size):
    data = os.urandom(size)
    stored = put(storage, FOLDER + "a.bin", data)
    assert (stored.path, stored.size) == (FOLDER + "a.bin", size)
    assert content(storage, FOLDER + "a.bin") == data
    assert storage.stat(FOLDER + "a.bin") == stored
    assert abs(stored.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_file_is_read_in_pieces_and_from_anywhere(storage):
    data = os.urandom(2 * CHUNK_BYTES + 100)
    put(storage, FOLDER + "a", data)
    with storage.open(FOLDER + "a") as file:
        assert file.read(10) == data[:10]
        file.seek(CHUNK_BYTES - 5)
        assert file.read(10) == data[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]
        file.seek(-3, io.SEEK_END)
        assert file.read() == data[-3:]
        assert file.read() == b""
        file.seek(0)
        assert b"".join(iter(lambda: file.read(99_999), b"")) == data


def test_a_source_that_gives_little_at_a_time_is_stored_whole(storage):
    class Slow(io.RawIOBase):
        left = CHUNK_BYTES + 10

        def readable(self):
            return True

        def readinto(self, buffer):
            size = min(len(buffer), 40_000, self.left)
            buffer[:size] = b"x" * size
            self.left -= size
            return size

    assert storage.put(FOLDER + "a", Slow()).size == CHUNK_BYTES + 10
    assert content(storage, FOLDER + "a") == b"x" * (CHUNK_BYTES + 10)


def test_a_file_is_replaced(storage):
    put(storage, FOLDER + "a", b"x" * CHUNK_BYTES * 2)
    put(storage, FOLDER + "a", b"new")
    assert content(storage, FOLDER + "a") == b"new"
    assert [stored.size for stored in storage.list(FOLDER)] == [3]


def test_a_source_that_fails_leaves_the_old_file_and_nothing_else(storage):
    class Failing(io.RawIOBase):
        sent = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            if self.sent > CHUNK_BYTES * 2:
                raise ConnectionResetError
            self.sent += len(buffer)
            return len(buffer)

    put(storage, FOLDER + "a", b"old")
    for name in ("a", "b"):
        with pytest.raises((ConnectionResetError, HeadraceError)):
            storage.put(FOLDER + name, Failing())
    assert content(storage, FOLDER + "a") == b"old"
    assert [stored.path for stored in storage.list("/")] == [FOLDER + "a"]


def test_what_is_not_there_is_not_found(storage):
    put(storage, FOLDER + "sub/a")
    for path in (FOLDER + "b", FOLDER + "sub", FOLDER + "sub/a/b", "/x"):
        for call in (storage.open, storage.stat):
            with pytest.raises(NotFound):
                call(path)
        assert storage.delete(path) is False
    assert list(storage.list("/nothing/")) == []
    assert storage.delete_all("/nothing/") == 0


def test_listing_is_by_path_and_stays_inside_the_folder(storage):
    names = ["a", "sub/b", "sub/deep/c", "%", "ä 😀.txt"]
    for name in names:
        put(storage, FOLDER + name)
    put(storage, FOLDER[:-1] + "2/a")
    paths = [stored.path for stored in storage.list(FOLDER)]
    assert sorted(paths) == sorted(FOLDER + name for name in names)
    assert [stored.path for stored in storage.list(FOLDER + "sub/")] == [
        FOLDER + "sub/b",
        FOLDER + "sub/deep/c",
    ]
    assert len(list(storage.list("/"))) == 6


def test_deleting_counts_and_leaves_neighbours(storage):
    for name in ("a", "sub/b", "sub/c"):
        put(storage, FOLDER + name)
    put(storage, FOLDER[:-1] + "2/a")
    assert [storage.delete(FOLDER + "sub/b") for _ in range(2)] == [True, False]
    assert storage.delete_all(FOLDER) == 2
    assert [stored.path for stored in storage.list("/")] == [FOLDER[:-1] + "2/a"]


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "/", "/a/", "//a", "/a//b", "/../a", "/a/../b", "/a/..", "/./a"),
        *("/a\0", "/a\nb", "/" + "x" * 300, "/a/" * 3000),
    ],
)
def test_a_path_that_is_not_plain_is_refused(storage, path):
    with pytest.raises(InputInvalid):
        put(storage, path)
    for call in (storage.open, storage.stat, storage.delete):
        with pytest.raises(InputInvalid):
            call(path)


@pytest.mark.parametrize("prefix", ["", "a/", "/a", "//", "/../", "/a/../", "/a\0/"])
def test_a_folder_that_is_not_plain_is_refused(storage, prefix):
    with pytest.raises(InputInvalid):
        list(storage.list(prefix))
    with pytest.raises(InputInvalid):
        storage.delete_all(prefix)


# moto, which plays S3, is not made for threads
@pytest.mark.parametrize("storage", [kind for kind in KINDS if kind != "s3"], indirect=True)
def test_writers_at_once_leave_one_whole_file(storage):
    texts = [bytes([65 + n]) * (CHUNK_BYTES + n) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda text: put(storage, FOLDER + "a", text), texts))
    assert content(storage, FOLDER + "a") in texts
    assert len(list(storage.list("/"))) == 1


def test_chunks_without_a_file_are_swept_by_age(tmp_path):
    url = f"sqlite:///{tmp_path}/headrace.db"
    migrate(url)
    store = open_store(url)
    storage = open_storage("database", tmp_path, store)
    put(storage, "/kept", b"x" * CHUNK_BYTES * 2)
    with store.begin() as tx:
        old = f"{0:016d}abc"
        tx.stored_files.add_chunk(old, 0, b"x")
        assert tx.stored_files.remove_leftovers(datetime(1970, 1, 1, tzinfo=UTC)) == 0
        assert tx.stored_files.remove_leftovers(tx.now()) == 1
        assert tx.stored_files.chunk(old, 0) is None
    assert len(content(storage, "/kept")) == CHUNK_BYTES * 2
    store.close()


def test_links_do_not_lead_out_of_the_folder(tmp_path):
    secret = tmp_path / "outside" / "secret"
    secret.parent.mkdir()
    secret.write_text("secret")
    storage = open_storage("files", tmp_path)
    put(storage, "/a/file")
    root = tmp_path / "files"
    (root / "a" / "link").symlink_to(secret)
    (root / "out").symlink_to(secret.parent)
    for path in ("/a/link", "/out/secret"):
        for call in (storage.open, storage.stat):
            with pytest.raises(HeadraceError):
                call(path)
    with pytest.raises(InputInvalid, match="leads out"):
        put(storage, "/out/new")
    assert [stored.path for stored in storage.list("/")] == ["/a/file"]
    storage.delete_all("/")
    assert secret.read_text() == "secret"


def test_an_emptied_folder_is_removed(tmp_path):
    storage = open_storage("", tmp_path)
    put(storage, "/a/b/c")
    storage.delete("/a/b/c")
    assert not (tmp_path / "storage" / "a").exists()


def test_a_storage_that_cannot_be_used_says_what_to_do(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "runner.storage.s3", raising=False)
    with pytest.raises(SettingsInvalid, match=r"pip install .headrace.aws."):
        open_storage("s3://bucket/prefix", tmp_path)
    with pytest.raises(SettingsInvalid, match="nope"):
        open_storage("nope://x", tmp_path)
    with pytest.raises(SettingsInvalid, match="database"):
        open_storage("database", tmp_path, None)
