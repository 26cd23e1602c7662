"""The vectors of Kestra's expression language, each with exactly what must come out."""

import copy
import json
import re

import pytest
import yaml

from runner.expressions import ExpressionError
from runner.testing import render_vector

from .shared import SHARED, shared

DEVIATIONS = {
    "text-034": "strings are ordered by code unit, as in Kestra 2",
    "cmp-014": "strings are ordered by code unit, as in Kestra 2",
    "fn-now-005": "strings are ordered by code unit, as in Kestra 2",
    "math-027": "integers have 64 bits throughout",
    "cmp-010": "list elements are compared by value",
    "contains-009": "list elements are compared by value",
    "macro-019": "render() renders the result of a macro as any other text",
    "f-date-023": "any integer is read as a date, whatever its size in Java",
    "real-053": "keys gives a list, which can be sorted",
    "quirk-001": "a character is a string of one letter",
    "quirk-002": "keys gives a list, which can be sorted",
    "quirk-003": "keys gives a list, which has indexes",
    "quirk-004": "split gives a list, which can be reversed",
    "quirk-005": "split gives a list, which equals a list",
    "quirk-010": "sort returns a new list and leaves its input alone",
}
VECTORS = SHARED / "spec" / "expression-vectors.yaml"


def _document():
    if not VECTORS.exists():
        return {"settings": {}, "vectors": []}
    return yaml.load(VECTORS.read_text(), yaml.CSafeLoader)


DOCUMENT = _document()


def test_the_vectors_are_there():
    shared("spec", "expression-vectors.yaml")
    assert len(DOCUMENT["vectors"]) > 1_500


@pytest.mark.parametrize("vector", DOCUMENT["vectors"], ids=lambda vector: vector["id"])
def test_vector(vector):
    if vector["id"] in DEVIATIONS:
        assert vector.get("confidence") == "low"
        assert not _is_met(vector), "this is no deviation any more"
    else:
        assert _is_met(vector)


def _is_met(vector):
    try:
        result = render_vector(
            copy.deepcopy(vector["template"]),
            copy.deepcopy(vector.get("variables") or {}),
            typed=bool(vector.get("typed")),
            config={**DOCUMENT["settings"], **(vector.get("config") or {})},
            fixtures=vector.get("fixtures"),
        )
    except ExpressionError:
        return bool(vector.get("error"))
    if vector.get("error"):
        return False
    if "expect_regex" in vector:
        return isinstance(result, str) and re.fullmatch(vector["expect_regex"], result) is not None
    if vector.get("compare") == "json":
        return json.loads(vector["expect"]) == json.loads(result)
    return _text(result) == _text(vector["expect"])


def _text(value):
    """JSON tells 1, 1.0, "1" and true apart."""
    return json.dumps(value, sort_keys=True)
