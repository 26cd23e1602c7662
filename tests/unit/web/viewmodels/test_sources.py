import pytest

from runner.model.flow import Trigger
from runner.store.base import SourceRow
from web.viewmodels.flows import what
from web.viewmodels.sources import _hint


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "each push"),
        ({"paths": ["models/**"]}, "each push, by path"),
        ({"branches": ["main"], "tags": ["v*"]}, "main, v*"),
    ],
)
def test_a_commit_trigger_is_told_with_what_narrows_it(properties, words):
    trigger = Trigger("pushed", "io.headrace.trigger.Commit", properties=properties)
    assert what(trigger) == words


def test_a_path_that_is_not_allowed_is_mended_in_the_settings():
    said = "/srv/f.git is a path on this machine; say `allow_local: true` to allow it"
    assert _hint(SourceRow("t", "/srv/f.git", "main", "FAILED", error=said)).startswith(
        "Mend headrace.yaml"
    )
    assert "path exists" in _hint(SourceRow("t", "/srv/f.git", "main", "FAILED", error="no"))
