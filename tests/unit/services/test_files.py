import io
import zipfile

import pytest

from runner.errors import ArgumentInvalid, NotFound
from runner.services.files import checked_path
from runner.services.principal import LOCAL


def write(services, path, content=b"x"):
    services.files.write("company.team", path, io.BytesIO(content), by=LOCAL)


def paths(services):
    return [each.path for each in services.files.list("company.team")]


def test_a_file_is_read_as_it_was_written(services):
    write(services, "/scripts/main.py", b"print(1)\n")
    write(services, "scripts/main.py", b"print(2)\n")

    with services.files.open("company.team", "/scripts/main.py") as stream:
        assert stream.read() == b"print(2)\n"


def test_a_directory_moves_and_goes_with_all_in_it(services):
    write(services, "a/one")
    write(services, "a/b/two")

    services.files.move("company.team", "a", "c", by=LOCAL)
    assert paths(services) == ["c/b/two", "c/one"]

    services.files.delete("company.team", "c", by=LOCAL)
    assert paths(services) == []


def test_a_move_does_not_cover_what_is_there(services):
    write(services, "one")
    write(services, "two")

    with pytest.raises(ArgumentInvalid, match="exists already"):
        services.files.move("company.team", "one", "two", by=LOCAL)


def test_a_file_cannot_stand_where_a_folder_is(services):
    write(services, "a/b")

    with pytest.raises(ArgumentInvalid):
        write(services, "a")
    with pytest.raises(ArgumentInvalid):
        write(services, "a/b/c")


def test_what_is_not_there_is_not_found(services):
    with pytest.raises(NotFound):
        services.files.delete("company.team", "nope", by=LOCAL)


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "a/..", "a\x00b", "a\\b", "a//b", "x" * 256, "_flows/x.yml", "a\nb"],
)
def test_odd_paths_are_refused(path):
    with pytest.raises(ArgumentInvalid):
        checked_path(path)


def test_an_archive_is_unpacked_below_its_path(services):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("one.txt", "1")
        archive.writestr("sub/two.txt", "2")
    content.seek(0)

    services.files.write_archive("company.team", "/up", content, by=LOCAL)

    assert paths(services) == ["up/one.txt", "up/sub/two.txt"]


def test_an_archive_cannot_leave_its_path(services):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../out.txt", "1")
    content.seek(0)

    with pytest.raises(ArgumentInvalid):
        services.files.write_archive("company.team", "/up", content, by=LOCAL)
