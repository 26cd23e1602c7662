import pytest

from runner.errors import HeadraceError, InputInvalid
from runner.model.flow import Input, Output
from runner.model.inputs import convert_output, examine_inputs, resolve_inputs

from .flows import parsed


def _render(value, variables, typed):
    """Know one expression: ``{{ inputs.NAME }}``."""
    if not isinstance(value, str) or "{{" not in value:
        return value
    name = value.strip("{} ").removeprefix("inputs.")
    if name not in variables["inputs"]:
        raise HeadraceError(f"unknown {name}")
    found = variables["inputs"][name]
    return found if typed else str(found)


def _resolve(declared, given):
    flow = parsed(inputs=declared).flow
    assert flow is not None
    return resolve_inputs(flow, given, _render)


def _one(given, **properties):
    return _resolve([{"id": "x", **properties}], {"x": given})["x"]


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("STRING", 5, "5"),
        ("STRING", True, "true"),
        ("INT", "+42", 42),
        ("FLOAT", "1e3", 1000.0),
        ("BOOL", "TRUE", True),
        ("BOOL", "on", False),
        ("BOOLEAN", "anything", False),
        ("DATE", "2019-10-06", "2019-10-06"),
        ("DATETIME", "2019-10-06T20:27:49+02:00", "2019-10-06T18:27:49Z"),
        ("DATETIME", "2019-10-06T18:27:49.5Z", "2019-10-06T18:27:49.500Z"),
        ("DATETIME", "2019-10-06t24:00:00z", "2019-10-07T00:00:00Z"),
        ("DATETIME", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("TIME", "18:27", "18:27:00"),
        ("TIME", "18:27:30.500", "18:27:30.5"),
        ("FLOAT", "16777217", 16777216.0),
        ("FLOAT", "0.1", 0.1),
        ("FLOAT", "123456789.123", 123456790.0),
        ("FLOAT", "1e-50", 0.0),
        ("DURATION", "pt90s", "PT1M30S"),
        ("JSON", '{"a": 1}', {"a": 1}),
        ("JSON", [1], [1]),
        ("JSON", "5", 5),
        ("YAML", "a: yes", {"a": True}),
        ("URI", "http:/x", "http:/x"),
        ("EMAIL", "", ""),
        ("FILE", "kestra:///a.txt", "kestra:///a.txt"),
    ],
)
def test_values_become_what_the_type_says(kind, given, value):
    assert _one(given, type=kind) == value


@pytest.mark.parametrize(
    ("properties", "given", "words"),
    [
        ({"type": "INT"}, "2147483648", "For input string"),
        ({"type": "INT", "min": 3}, 2, "it must be more than `3`"),
        ({"type": "FLOAT", "max": 1.5}, "1.6", "it must be less than `1.5`"),
        ({"type": "STRING", "validator": "a+"}, "aab", "it must match the pattern `a+`"),
        ({"type": "SELECT", "values": ["a", 1]}, "b", "it must match the values `[a, 1]`"),
        ({"type": "DATE", "after": "2020-01-01"}, "2019-01-01", "it must be after `2020-01-01`"),
        ({"type": "DATE"}, "2019-02-30", "day is out of range"),
        ({"type": "DATETIME"}, "2019-10-06", "could not be parsed"),
        ({"type": "DURATION"}, "5", "cannot be parsed to a Duration"),
        ({"type": "DURATION", "min": "PT10S"}, "PT1S", "It must be more than `PT10S`"),
        ({"type": "JSON"}, "{", "no JSON"),
        ({"type": "URI"}, "x", "Invalid URI format."),
        ({"type": "URI"}, "http://a b", "Illegal character in authority at index 8"),
        ({"type": "FILE"}, "/etc/passwd", "is no file"),
        ({"type": "FILE", "allowedFileExtensions": [".csv"]}, "kestra:///a.txt", ".csv"),
        ({"type": "ARRAY", "itemType": "INT"}, '[1, "x"]', "Unable to parse array element"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(properties, given, words):
    with pytest.raises(InputInvalid) as caught:
        _one(given, **properties)
    assert caught.value.message.startswith("Invalid value for input `x`. Cause: ")
    assert words in caught.value.message


def test_missing_inputs_are_named_all_at_once():
    declared = [{"id": "a", "type": "STRING"}, {"id": "b", "type": "INT"}]
    with pytest.raises(InputInvalid) as caught:
        _resolve(declared, {"b": "x"})
    assert caught.value.message.splitlines() == [
        "Missing required input:a",
        'Invalid value for input `b`. Cause: For input string: "x"',
    ]


def test_an_optional_input_without_value_is_null():
    assert _resolve([{"id": "a", "type": "INT", "required": False}], {}) == {"a": None}


def test_ids_with_dots_become_nested_maps():
    declared = [{"id": "a.b", "type": "INT"}, {"id": "a.c.d", "type": "INT"}]
    assert _resolve(declared, {"a.b": 1, "a": {"c": {"d": 2}}}) == {"a": {"b": 1, "c": {"d": 2}}}


def test_defaults_are_rendered_with_the_inputs_they_depend_on():
    declared = [
        {"id": "a", "type": "STRING"},
        {"id": "b", "type": "STRING", "defaults": "{{ inputs.a }}", "dependsOn": {"inputs": ["a"]}},
    ]
    assert _resolve(declared, {"a": "x"}) == {"a": "x", "b": "x"}


def test_a_default_duration_may_be_a_number_of_seconds():
    assert _resolve([{"id": "a", "type": "DURATION", "defaults": 90}], {}) == {"a": "PT1M30S"}


def test_a_condition_must_be_true_itself():
    asked = {
        "id": "b",
        "type": "STRING",
        "dependsOn": {"inputs": ["a"], "condition": "{{ inputs.a }}"},
    }
    given = {"b": "y"}
    assert _resolve([{"id": "a", "type": "BOOL"}, asked], {**given, "a": True}) == {
        "a": True,
        "b": "y",
    }
    assert _resolve([{"id": "a", "type": "STRING"}, asked], {**given, "a": "true"}) == {"a": "true"}


def test_a_condition_that_fails_disables_its_input_with_a_warning():
    declared = (Input("b", "STRING", condition="{{ inputs.unknown }}"),)
    (examined,) = examine_inputs(declared, {"b": "y"}, _render)
    assert not examined.enabled
    assert examined.warning == "Invalid condition: unknown unknown"


def test_outputs_are_converted_to_their_type():
    assert convert_output(Output("o", "INT", None), "5") == 5
    with pytest.raises(InputInvalid):
        convert_output(Output("o", "INT", None), "five")


@pytest.mark.parametrize("text", ["[NaN]", "-Infinity", '{"a": Infinity}'])
def test_numbers_that_json_does_not_have_are_refused(text):
    with pytest.raises(InputInvalid, match="no number of JSON"):
        _one(text, type="JSON")


@pytest.mark.parametrize(
    ("value", "pattern", "is_match"),
    [
        ("٣", "\\d", False),
        ("ac", "[a-z&&[^b]]+", True),
        ("ab", "[a-z&&[^b]]+", False),
    ],
)
def test_validators_are_regular_expressions_of_java(value, pattern, is_match):
    declared = [{"id": "x", "type": "STRING", "validator": pattern}]
    if is_match:
        assert _resolve(declared, {"x": value})["x"] == value
    else:
        with pytest.raises(InputInvalid, match="must match the pattern"):
            _resolve(declared, {"x": value})


@pytest.mark.parametrize(
    "uri", ["http://", "x:", "http://a/%zz", "http://a#b#c", "http://[x", "a b", "abc"]
)
def test_what_java_takes_for_no_uri_is_refused(uri):
    with pytest.raises(InputInvalid):
        _one(uri, type="URI")


@pytest.mark.parametrize("kind", ["BOOL", "INT", "DATE", "JSON", "URI", "DURATION"])
def test_an_empty_text_is_only_a_value_where_texts_are(kind):
    with pytest.raises(InputInvalid, match="Missing required input:x"):
        _one("", type=kind)
    assert _one("", type=kind, required=False) is None
    assert _one("", type="STRING") == ""


def test_an_empty_text_leaves_the_default():
    assert _one("", type="INT", defaults=5) == 5


@pytest.mark.parametrize(
    ("kind", "default", "value"), [("INT", 1.5, 1), ("BOOL", 1, True), ("BOOL", "TRUE", True)]
)
def test_defaults_become_what_they_mean(kind, default, value):
    assert _resolve([{"id": "x", "type": kind, "defaults": default}], {})["x"] == value


def test_a_default_that_is_no_boolean_is_refused():
    with pytest.raises(InputInvalid, match="neither true nor false"):
        _resolve([{"id": "x", "type": "BOOL", "defaults": "on and on"}], {})


@pytest.mark.parametrize(("kind", "items"), [("STRING", "[null]"), ("DURATION", "[5]")])
def test_items_that_are_no_values_are_refused(kind, items):
    with pytest.raises(InputInvalid, match="Unable to parse array element"):
        _one(items, type="ARRAY", itemType=kind)
