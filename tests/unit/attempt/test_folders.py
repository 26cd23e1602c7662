from runner.attempt import folders


def test_a_folder_is_fresh_and_its_parent_is_made(tmp_path):
    first, second = (folders.make(tmp_path / "work", "run-0-") for _ in range(2))

    assert first != second
    assert first.parent == tmp_path / "work"
    assert first.name.startswith("run-0-")


def test_folders_are_removed_beside_the_work(tmp_path):
    full = folders.make(tmp_path, "full-")
    (full / "sub").mkdir()
    (full / "sub/x").write_text("x")
    empty = folders.make(tmp_path, "empty-")

    folders.remove_soon(full)
    folders.remove_soon(empty)
    folders.remove_soon(tmp_path / "gone")

    folders.wait_until_removed()
    assert list(tmp_path.iterdir()) == []
