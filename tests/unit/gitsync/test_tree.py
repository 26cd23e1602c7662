import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.tree import Comparison, folders, is_lfs_pointer, printable, read
from tests.unit.gitsync.builders import a_tree, entries

LINK, SUBMODULE = ("120000", "blob"), ("160000", "commit")


@pytest.mark.parametrize(
    ("path", "namespace", "expected"),
    [
        ("_flows/a.yaml", "company.team", "company.team"),
        ("_flows/sub/deep/a.yml", "company.team", "company.team.sub.deep"),
        ("_flows/company/team/a.yaml", None, "company.team"),
        ("_flows/company.team/a.yaml", None, "company.team"),
        ("_flows/a.yaml", None, None),
        ("_flows/Odd Name/a.yaml", "company.team", None),
    ],
)
def test_a_flows_folder_gives_its_default_namespace(path, namespace, expected):
    assert a_tree({path: ""}, namespace).flows[path].namespace == expected


def test_only_yaml_below_the_flows_folder_is_a_flow():
    tree = a_tree({"_flows/README.md": "", "other/a.yaml": "", "a.yaml": "", "_flows/b.YML": ""})

    assert list(tree.flows) == ["_flows/b.YML"]
    assert not tree.problems


def test_files_belong_to_the_sources_namespace():
    file = a_tree({"_files/src/x.py": "1"}).files["_files/src/x.py"]

    assert (file.namespace, file.path) == ("company.team", "src/x.py")


def test_without_a_namespace_the_first_folder_names_it():
    tree = a_tree({"_files/company.team/src/x.py": "1", "_files/loose.txt": "2"}, namespace=None)

    file = tree.files["_files/company.team/src/x.py"]
    assert (file.namespace, file.path) == ("company.team", "src/x.py")
    assert tree.problems["_files/loose.txt"].code == "namespace"


def test_a_source_may_live_in_a_folder():
    tree = a_tree({"ci/_flows/a.yaml": "", "ci/_files/x": "", "_flows/b.yaml": ""}, path="ci/")

    assert (list(tree.flows), list(tree.files)) == (["ci/_flows/a.yaml"], ["ci/_files/x"])


@pytest.mark.parametrize("path", ["", ".", "./", "/"])
def test_the_root_has_several_spellings(path):
    assert folders(path) == ("_flows", "_files")


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("_flows/a.yaml", LINK, "symlink"),
        ("_files/a", LINK, "symlink"),
        ("_flows", LINK, "symlink"),
        ("_flows/sub", SUBMODULE, "submodule"),
        ("_files/lib", SUBMODULE, "submodule"),
        ("_files", "a file", "structure"),
        ("_files/a\nb", "", "path"),
        ("_files/\udcff", "", "path"),
        ("_files/../x", "", "path"),
        ("_files/.git/hooks/x", "", "path"),
    ],
)
def test_what_cannot_be_followed_is_refused_aloud(path, content, code):
    tree = a_tree({path: content})

    assert tree.problems[path].code == code
    assert not tree.flows
    assert not tree.files


def test_of_two_paths_that_differ_in_case_the_second_is_refused():
    tree = a_tree({"_files/readme.md": "b", "_files/README.md": "a"})

    assert list(tree.files) == ["_files/README.md"]
    assert "_files/README.md" in tree.problems["_files/readme.md"].message


def test_a_link_elsewhere_is_nobodys_business():
    assert not a_tree({"docs/a": LINK, "vendor": SUBMODULE}).problems


def test_an_odd_path_can_be_shown():
    assert printable("a\udcff") == "a\\xff"


def test_a_pointer_of_lfs_is_told_by_its_first_line():
    assert is_lfs_pointer(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert not is_lfs_pointer(b"version: 1")


_paths = st.lists(
    st.text(st.sampled_from("ab/._\n\udcff A"), min_size=1, max_size=12).map(
        lambda name: f"_files/{name}"
    ),
    unique=True,
    max_size=8,
)


@given(_paths, st.randoms())
def test_the_order_of_a_listing_changes_nothing(paths, random):
    listing = entries(dict.fromkeys(paths, "x"))
    shuffled = list(listing)
    random.shuffle(shuffled)

    assert read(listing) == read(shuffled)


@given(_paths)
def test_every_path_is_taken_or_refused(paths):
    tree = a_tree(dict.fromkeys(paths, "x"))

    assert set(paths) == {*tree.files, *tree.problems}


def test_a_comparison_speaks_of_every_path_of_both_trees():
    trees = Comparison(a_tree({"_flows/a.yaml": "1"}), a_tree({"_files/x": "1", "_files/l": LINK}))

    assert trees.touched == {"_flows/a.yaml", "_files/x", "_files/l"}
