import pytest

from runner.plugins._globs import matches


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("*.csv", "a.csv", "sub/a.csv"),
        ("**.csv", "sub/a.csv", "a.txt"),
        ("sub/**", "sub/x/y", "sub"),
        ("**/a.txt", "a.txt", "b.txt"),
        ("**/a.txt", "x/y/a.txt", "x/ya.txt2"),
        ("a?.txt", "ab.txt", "a/.txt"),
        ("{a,b}.txt", "b.txt", "c.txt"),
        ("[a-c].txt", "b.txt", "d.txt"),
        ("[!a].txt", "b.txt", "a.txt"),
        ("glob:*.csv", "a.csv", "a.txt"),
        ("a+(1).txt", "a+(1).txt", "aa1.txt"),
        ("a,b", "a,b", "a"),
        ("{a.txt", "{a.txt", "a.txt"),
        ("[a", "[a", "a"),
    ],
)
def test_a_pattern_fits_as_java_says(pattern, fits, does_not):
    assert matches(fits, pattern)
    assert not matches(does_not, pattern)
