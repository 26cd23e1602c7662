import pytest

from runner.plugin import TaskError
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

    assert sorted(outputs.files) == found
    assert [(m.name, m.value) for m in ctx.metrics] == [("downloaded", len(found))]


def test_a_destination_stands_before_the_names(ctx):
    outputs = namespace.DownloadFiles(namespace="a.b", files="main.py", destination="in").run(ctx)

    assert list(outputs.files) == ["in/main.py"]


def test_files_are_deleted_by_pattern(ctx):
    namespace.DeleteFiles(namespace="a.b", files=["*.sql"]).run(ctx)

    assert list(ctx.namespace_files.stored["a.b"]) == ["main.py"]


def test_there_are_no_old_versions_to_purge(ctx):
    assert namespace.PurgeFiles(namespaces=["a.b"]).run(ctx).size == 0
