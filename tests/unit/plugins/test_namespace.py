from datetime import UTC, datetime

import pytest

from runner.plugin import FileVersion, TaskError
from runner.plugins import namespace
from tests.unit.plugins.rendering import a_context

URI = "kestra:///x.csv"
FILES = {"a.b": {"main.py": b"1", "sql/q.sql": b"2", "sql/deep/r.sql": b"3"}}


@pytest.fixture
def ctx(tmp_path):
    return a_context(tmp_path, files={URI: b"new"}, namespace_files=FILES)


def test_stored_files_become_namespace_files_and_missing_ones_are_passed_over(ctx):
    files = {"x.csv": URI, "y.csv": "kestra:///gone"}

    namespace.UploadFiles(namespace="a.b", files_map=files, destination="/out").run(ctx)

    assert ctx.namespace_files.stored["a.b"]["out/x.csv"] == b"new"
    assert "out/y.csv" not in ctx.namespace_files.stored["a.b"]


def test_files_of_the_working_directory_become_namespace_files(ctx):
    (ctx.working_dir / "sub").mkdir()
    (ctx.working_dir / "sub/r.txt").write_text("hi")

    namespace.UploadFiles(namespace="a.b", files=["*.txt"]).run(ctx)

    assert ctx.namespace_files.stored["a.b"]["sub/r.txt"] == b"hi"


@pytest.mark.parametrize(("conflict", "kept"), [("SKIP", b"1"), ("OVERWRITE", b"new")])
def test_what_is_there_is_kept_or_replaced(conflict, kept, ctx):
    namespace.UploadFiles(namespace="a.b", files_map={"main.py": URI}, conflict=conflict).run(ctx)

    assert ctx.namespace_files.stored["a.b"]["main.py"] == kept


def test_what_is_there_may_be_an_error(ctx):
    with pytest.raises(TaskError, match="already exists"):
        namespace.UploadFiles(namespace="a.b", files_map={"main.py": URI}, conflict="ERROR").run(
            ctx
        )


def test_an_upload_needs_files(ctx):
    with pytest.raises(TaskError, match="files or filesMap is required"):
        namespace.UploadFiles(namespace="a.b").run(ctx)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.sql", ["sql/deep/r.sql", "sql/q.sql"]),
        ("/sql/*.sql", ["sql/q.sql"]),
        ("sql/**", ["sql/deep/r.sql", "sql/q.sql"]),
        ("main.py", ["main.py"]),
    ],
)
def test_files_are_downloaded_by_pattern(pattern, found, ctx):
    outputs = namespace.DownloadFiles(namespace="a.b", files=pattern).run(ctx)

    assert sorted(outputs.files) == [f"/{path}" for path in found]
    assert [(m.name, m.value) for m in ctx.metrics] == [("downloaded", len(found))]


def test_a_destination_is_the_folder_of_the_copies(ctx):
    outputs = namespace.DownloadFiles(namespace="a.b", files="main.py", destination="in").run(ctx)

    assert outputs.files["/main.py"].endswith("in/main.py")


def test_files_are_deleted_by_pattern(ctx):
    namespace.DeleteFiles(namespace="a.b", files=["*.sql"]).run(ctx)

    assert list(ctx.namespace_files.stored["a.b"]) == ["main.py"]


def version(path, number):
    return FileVersion(path, number, datetime(2026, 1, number, tzinfo=UTC))


@pytest.mark.parametrize(
    ("behavior", "left"),
    [
        ({"keep_amount": 1}, []),
        ({"keep_amount": 3}, [("main.py", 2), ("main.py", 3), ("q.sql", 1)]),
        ({"before": "2026-01-02T12:00:00Z"}, [("main.py", 3)]),
    ],
)
def test_old_versions_of_files_are_purged(behavior, left, ctx):
    before = [version("main.py", 1), version("main.py", 2), version("main.py", 3)]
    ctx.namespace_files.before = {"a.b": [*before, version("q.sql", 1)]}

    purged = namespace.PurgeFiles(
        namespaces=["a"], behavior=namespace.PurgeBehavior(**behavior)
    ).run(ctx)

    assert [(each.path, each.version) for each in ctx.namespace_files.versions("a.b")] == left
    assert purged.size == 4 - len(left)


def test_only_files_that_fit_are_purged(ctx):
    ctx.namespace_files.before = {"a.b": [version("main.py", 1), version("q.sql", 1)]}

    assert namespace.PurgeFiles(file_pattern="*.sql").run(ctx).size == 1


@pytest.mark.parametrize("behavior", [{}, {"keepAmount": 0}, {"keepAmount": 1, "before": "x"}])
def test_versions_are_chosen_in_one_way(behavior):
    with pytest.raises(ValueError, match="keepAmount"):
        namespace.PurgeBehavior(type="version", **behavior)
