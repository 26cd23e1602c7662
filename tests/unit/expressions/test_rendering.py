from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from runner.expressions import (
    Context,
    EmptyWorld,
    ExpressionError,
    LimitExceeded,
    Limits,
    Settings,
    is_template,
    is_truthy,
    render,
    render_value,
    secret_entry,
)

NAMES = Context({"inputs": {"name": "Ann", "rows": [1, 2]}, "empty": None})


class Lazy(Mapping):
    """Outputs that are looked up when asked for."""

    def __init__(self, found):
        self.asked = []
        self._found = found

    def __getitem__(self, key):
        self.asked.append(key)
        return self._found[key]

    def __iter__(self):
        return iter(self._found)

    def __len__(self):
        return len(self._found)


class Ticking(EmptyWorld):
    """A world whose clock runs a second at each look."""

    seconds = 0.0

    def monotonic(self):
        self.seconds += 1
        return self.seconds


def test_a_text_without_a_delimiter_is_returned_as_it_is():
    text = "no { expression } here"
    assert render(text, Context()) is text


def test_a_lone_expression_keeps_its_type_when_typed():
    assert render("{{ inputs.rows }}", NAMES, typed=True) == [1, 2]
    assert render("{{ inputs.rows }}", NAMES) == "[1,2]"


def test_typed_numbers_are_plain_python_numbers():
    assert type(render("{{ 1 + 1 }}", Context(), typed=True)) is int
    assert type(render("{{ '1.5' | number }}", Context(), typed=True)) is float


def test_a_structure_is_rendered_at_every_depth_with_its_keys():
    value = {"{{ inputs.name }}": ["{{ inputs.rows[0] }}", {"n": 7, "gone": "{{ empty }}"}]}
    assert render_value(value, NAMES) == {"Ann": ["1", {"n": 7, "gone": None}]}


def test_of_two_keys_that_become_equal_the_first_stays():
    assert render_value({"{{ 'a' }}": "1", "a": "2"}, Context()) == {"a": "1"}


def test_a_structure_nested_too_deeply_is_refused():
    value = "x"
    for _ in range(300):
        value = [value]
    with pytest.raises(LimitExceeded, match="nested"):
        render_value(value, Context())


def test_a_lazy_mapping_is_asked_for_what_the_expression_uses_only():
    outputs = Lazy({"a": {"value": 1}, "b": {"value": 2}})

    assert render("{{ outputs.a.value }}", Context({"outputs": outputs})) == "1"
    assert outputs.asked == ["a"]


def test_lazy_mappings_print_and_merge_like_maps():
    context = Context({"m": Lazy({"a": 1, "b": None})})
    assert render("{{ m }} {{ m | merge({'c': 3}) }}", context) == '{"a":1} {"a":1,"c":3}'


def test_an_error_names_line_column_expression_and_the_nearest_name():
    with pytest.raises(ExpressionError) as raised:
        render("first\n  {{ inputs.nmae }}", NAMES)

    error = raised.value
    assert (error.line, error.column) == (2, 13)
    assert error.code == "expression"
    assert "'nmae'" in error.reason
    assert "did you mean 'name'" in error.reason
    assert "`{{ inputs.nmae }}`" in str(error)


def test_an_unknown_variable_is_told_with_the_nearest_one():
    with pytest.raises(ExpressionError, match="no variable 'input'; did you mean 'inputs'"):
        render("{{ input.name }}", NAMES)


def test_an_unknown_filter_is_told_with_the_nearest_one():
    with pytest.raises(ExpressionError, match="unknown filter 'uper'; did you mean 'upper'"):
        render("{{ inputs.name | uper }}", NAMES)


def test_what_needs_a_world_says_so_in_an_empty_one():
    with pytest.raises(ExpressionError, match=r"secret\(\) is not available here"):
        render("{{ secret('A') }}", Context())


def test_now_is_the_moment_of_the_world():
    world = EmptyWorld(datetime(2024, 3, 15, 13, 45, tzinfo=UTC))
    assert render("{{ now('HH:mm', 'Europe/Paris') }}", Context({}, world)) == "14:45"


def test_variables_may_be_dates():
    moment = datetime(2024, 6, 1, 5, 0, 0, 123456, tzinfo=UTC)
    context = Context({"d": moment})
    assert render("{{ d }}", context) == "2024-06-01T05:00:00.123456Z"
    assert render("{{ d | date('yyyy') }}", context) == "2024"
    assert render("{{ d }}", context, typed=True) == "2024-06-01T05:00:00.123456Z"


def test_set_changes_the_variable_for_this_template_only():
    variables = {"a": "old"}
    assert render("{% set a = 'new' %}{{ a }}", Context(variables)) == "new"
    assert variables == {"a": "old"}


def test_filters_leave_the_variables_alone():
    variables = {"l": [3, 1, 2]}
    template = "{{ l | sort }}{{ l | reverse }}{{ l + 4 }}{{ l | merge([5]) }}"
    render(template, Context(variables))
    assert variables == {"l": [3, 1, 2]}


def test_a_rendering_that_takes_too_long_is_stopped():
    template = "{% for i in 1..100000 %}{% set x = i %}{% endfor %}"
    with pytest.raises(LimitExceeded, match="longer than 5 s"):
        render(template, Context({}, Ticking()))


@pytest.mark.parametrize(
    ("limits", "template", "reason"),
    [
        (Limits(output_chars=10), "{{ 'a\nb' | indent(99) }}", "text is longer than 10"),
        (Limits(elements=10), "{{ 1..11 }}", "more than 10 elements"),
        (Limits(steps=10), "{% for i in 1..2000 %}{{ i }}{% endfor %}", "more than 10 steps"),
        (Limits(passes=3), "{{ render(t) }}", "still changes after 3 renderings"),
        (Limits(macro_depth=2), "{{ f(9) }}", "nested more than 2 deep"),
    ],
)
def test_each_limit_says_what_was_too_much(limits, template, reason):
    macro = "{% macro f(n) %}{{ n > 0 ? f(n - 1) : '' }}{% endmacro %}"
    context = Context({"t": "{{ t }} {{ t }}"}, settings=Settings(limits=limits))
    with pytest.raises(LimitExceeded, match=reason):
        render(macro + template, context)


def test_an_error_inside_a_block_that_is_caught_does_not_count_as_depth():
    template = (
        "{% macro f() %}{{ nothing }}{% endmacro %}"
        "{% for i in 1..200 %}{{ f() ?? '' }}{% endfor %}done"
    )
    assert render(template, Context()) == "done"


def test_recursive_rendering_is_a_setting():
    variables = {"a": "{{ b }}", "b": "{{ c }}", "c": "end"}
    assert render("{{ a }}", Context(variables)) == "{{ b }}"
    assert render("{{ a }}", Context(variables, settings=Settings(recursive=True))) == "end"


@pytest.mark.parametrize("text", ["true", "1", "False", "null", "[]", "0.0", "no", "x"])
def test_what_is_truthy(text):
    assert is_truthy(f" {text}\n")


@pytest.mark.parametrize("text", ["", " ", "false", "0", "-0", "\tfalse\n"])
def test_what_is_falsy(text):
    assert not is_truthy(text)


def test_templates_are_told_by_their_delimiters():
    assert is_template("a {{ b }}")
    assert is_template("{% if x %}")
    assert is_template("{# c #}")
    assert not is_template("{ a } }}")


def test_an_entry_of_a_secret_is_text():
    assert secret_entry('{"user": "u", "port": 5432}', "port") == "5432"
    with pytest.raises(ExpressionError, match="no subkey 'x'"):
        secret_entry('{"user": "u"}', "x")
    with pytest.raises(ExpressionError, match="no JSON object"):
        secret_entry("plain", "x")
