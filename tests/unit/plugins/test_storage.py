import io

import pytest

from runner.plugin import TaskError
from runner.plugins import _splitting, storage
from tests.unit.plugins.rendering import a_context

A, B = "kestra:///a.txt", "kestra:///b.txt"
ROWS = b'{"id": 1, "n": "a"}\n{id: 2, n: "b"}\n{"id": 1, "n": "c"}'


@pytest.fixture
def ctx(tmp_path):
    return a_context(tmp_path, files={A: b"one\ntwo\nthree\n", B: b"four", "kestra:///r.ion": ROWS})


def content(ctx, uri):
    with ctx.files.open(uri) as file:
        return file.read()


@pytest.mark.parametrize("files", [[A, B], f'["{A}", "{B}"]'])
def test_the_separator_follows_every_file(files, ctx):
    outputs = storage.Concat(files=files, separator="|", extension=".txt").run(ctx)

    assert content(ctx, outputs.uri) == b"one\ntwo\nthree\n|four|"
    assert outputs.uri.endswith(".txt")


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ({"rows": 2}, [b"one\ntwo\n", b"three\n"]),
        ({"partitions": 2}, [b"one\nthree\n", b"two\n"]),
        ({"bytes": "4B"}, [b"one\n", b"two\n", b"three\n"]),
        ({"regex_pattern": "^(t)"}, [b"two\nthree\n"]),
    ],
)
def test_a_file_is_split(how, parts, ctx):
    outputs = storage.Split(source=A, **how).run(ctx)

    assert [content(ctx, uri) for uri in outputs.uris] == parts


def test_a_pattern_that_takes_too_long_fails_the_split(ctx, monkeypatch):
    monkeypatch.setattr(_splitting, "_PATTERN_SECONDS", 0.05)
    slow = ctx.files.put(io.BytesIO(b"a" * 60 + b"!\n"), "slow.txt")

    with pytest.raises(TaskError, match="too long"):
        storage.Split(source=slow, regex_pattern="^((a|aa)+)+$").run(ctx)
    with pytest.raises(TaskError, match="repeats"):
        storage.Split(source=slow, regex_pattern="(a){99999999}").run(ctx)


def test_a_split_needs_to_know_how(ctx):
    with pytest.raises(TaskError, match="one of regexPattern, bytes, partitions and rows"):
        storage.Split(source=A).run(ctx)


def test_the_last_item_of_each_key_stays_in_its_place(ctx):
    outputs = storage.DeduplicateItems(source="kestra:///r.ion", expr="{{ id }}").run(ctx)

    assert content(ctx, outputs.uri) == b'{id: 2, n: "b"}\n{"id": 1, "n": "c"}\n'
    assert (outputs.num_keys, outputs.processed_items_total) == (2, 3)
    assert outputs.dropped_items_total == 1


@pytest.mark.parametrize(("kind", "kept"), [("INCLUDE", b'{id: 2, n: "b"}\n'), ("EXCLUDE", None)])
def test_items_are_filtered(kind, kept, ctx):
    task = storage.FilterItems(
        source="kestra:///r.ion", filter_condition="{{ n == 'b' }}", filter_type=kind
    )

    outputs = task.run(ctx)

    assert outputs.dropped_items_total == (2 if kept else 1)
    assert kept is None or content(ctx, outputs.uri) == kept


@pytest.mark.parametrize("behavior", ["FAIL", "INCLUDE", "EXCLUDE"])
def test_a_condition_that_gives_nothing_counts_as_no(ctx, behavior):
    task = storage.FilterItems(
        source="kestra:///r.ion", filter_condition="{{ '' }}", error_or_null_behavior=behavior
    )

    assert task.run(ctx).dropped_items_total == 3


def test_lines_are_reversed(ctx):
    outputs = storage.Reverse(source=A).run(ctx)

    assert content(ctx, outputs.uri) == b"three\ntwo\none\n"
    assert outputs.uri.endswith(".txt")


def test_the_separator_is_written_after_each_line(ctx):
    assert content(ctx, storage.Reverse(source=A, separator="|").run(ctx).uri) == b"three|two|one|"


def test_reversing_nothing_gives_nothing(ctx):
    empty = ctx.files.put(b"", "empty")

    assert content(ctx, storage.Reverse(source=empty).run(ctx).uri) == b""


def test_an_unknown_charset_is_named(ctx):
    with pytest.raises(TaskError, match="'charset' nope"):
        storage.Reverse(source=A, charset="nope").run(ctx)


@pytest.mark.parametrize(
    ("extension", "ending"), [("csv", ".csv"), (".csv", ".csv"), (None, ".tmp")]
)
def test_a_written_file_has_its_extension(ctx, extension, ending):
    assert storage.Write(content="", extension=extension).run(ctx).uri.endswith(ending)


def test_a_size_is_in_bytes(ctx):
    assert storage.Size(uri=B).run(ctx).size == 4


def test_a_text_becomes_a_file(ctx):
    outputs = storage.Write(content="é", extension=".txt").run(ctx)

    assert content(ctx, outputs.uri) == "é".encode()
    assert outputs.uri.endswith(".txt")


def test_a_file_is_deleted_once(ctx):
    assert storage.Delete(uri=A).run(ctx).deleted
    assert not storage.Delete(uri=A).run(ctx).deleted

    with pytest.raises(TaskError, match="Unable to find"):
        storage.Delete(uri=A, error_on_missing=True).run(ctx)


def test_local_files_are_written_and_kept(ctx):
    task = storage.LocalFiles(inputs={"a/x.txt": "hi", "b.txt": B}, outputs=["**.txt"])

    outputs = task.run(ctx)

    assert content(ctx, outputs.uris["a/x.txt"]) == b"hi"
    assert content(ctx, outputs.uris["b.txt"]) == b"four"


def test_local_files_stay_inside(ctx):
    with pytest.raises(TaskError, match="no name of a file"):
        storage.LocalFiles(inputs={"../x": "hi"}).run(ctx)


def test_all_files_of_an_execution_go(ctx):
    outputs = storage.PurgeCurrentExecutionFiles().run(ctx)

    assert sorted(outputs.uris) == [A, B, "kestra:///r.ion"]
    assert ctx.files.stored == {}


def test_old_files_of_executions_are_counted_or_purged(ctx):
    task = storage.PurgeStorage(end_date="2026-01-01T00:00:00Z", namespace="a.b")

    outputs = task.run(ctx)

    ((since, until, *rest),) = ctx.server.storage_purges
    assert (since, until.year, rest) == (None, 2026, ["a.b", None, True])
    assert (outputs.scanned_count, outputs.purged_count, outputs.deleted_files_count) == (3, 2, 5)


def test_a_flow_needs_its_namespace(ctx):
    with pytest.raises(TaskError, match="'namespace' is required"):
        storage.PurgeStorage(end_date="2026-01-01T00:00:00Z", flow_id="f").run(ctx)
