"""What Kestra answered to templates of our grammar, and what must hold for any template."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.expressions import Context, ExpressionError, check, render
from runner.testing import FixtureWorld, render_vector

from .deviations import Answer, why
from .grammar import VARIABLES, Grammar

RECORDED = Path(__file__).with_name("kestra_answers.jsonl")
PIECES = (
    "{{ ", " }}", "{% ", " %}", "{# ", " #}", "{{-", "-}}", "if ", "for x in ", "set x = ",
    "endif", "endfor", "else", "macro f(a)", "endmacro", "block b", "endblock", "filter upper",
    "endfilter", "raw", "endraw", "verbatim", "endverbatim", "s", "l", "m", "i", "nil", "missing",
    ".", "a", "[", "]", "(", ")", "{", "}", ",", ":", "?", "??", "???", "..", "|", "~", "+",
    "-", "*", "/", "%",
    "==", "!=", "<", ">=", " and ", " or ", " not ", " is ", " is not ", " contains ", " isIn ",
    "1", "2.5", "10L",
    "'x'", '"y"', '"#{', "#", "\\", "'", '"', "\n", " ", "upper", "length", "date", "jq('.')",
    "json", "yaml", "first",
    "default(1)", "split(',')", "replace({'a':'b'})", "number", "defined", "null",
    "empty", "true", "render(tpl)", "é", "\x00",
)  # fmt: skip
LIKELY = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def templates(draw):
    """Templates of the grammar; hypothesis makes the choices, so that it can shrink them."""
    return Grammar(lambda options: options[draw(st.integers(0, len(options) - 1))], 3).template()


def _recorded():
    return [json.loads(line) for line in RECORDED.read_text().splitlines()]


def test_kestras_recorded_answers_are_ours_too():
    different = []
    for line in _recorded():
        template, typed = line["template"], line.get("typed", False)
        try:
            ours = Answer(render_vector(template, VARIABLES, typed=typed))
        except ExpressionError as error:
            ours = Answer(error=str(error))
        expected = Answer(line.get("value"), "an error" if line.get("error") else None)
        if not _agree(expected, ours) and not why(template, expected, ours):
            different.append((template, expected, ours))
    assert not different


def _agree(expected, ours):
    if expected.error or ours.error:
        return bool(expected.error) and bool(ours.error)
    return json.dumps(expected.value, sort_keys=True) == json.dumps(ours.value, sort_keys=True)


@given(templates(), st.booleans())
@LIKELY
def test_a_template_of_the_grammar_renders_or_is_an_expression_error(template, typed):
    _render(template, typed)


@given(st.lists(st.sampled_from(PIECES), max_size=25), st.booleans())
@LIKELY
def test_any_rubble_renders_or_is_an_expression_error(pieces, typed):
    _render("".join(pieces), typed)


@given(st.text(), st.text())
@LIKELY
def test_text_without_delimiters_stays_as_it_is(before, after):
    text = (before + after).replace("{", "(")
    assert render(text, Context()) == text


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@LIKELY
def test_check_finds_the_syntax_errors_that_rendering_finds(pieces):
    template = "".join(pieces)
    problems = check(template)
    if not problems:
        return
    assert all(1 <= problem.line <= template.count("\n") + 1 for problem in problems)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
@LIKELY
def test_a_typed_value_comes_out_as_it_went_in(value):
    assert render("{{ v }}", Context({"v": value}), typed=True) == value


@pytest.mark.parametrize("template", ["{{ v | toJson }}", "{{ v }}"])
@given(value=st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=10))
@LIKELY
def test_what_is_printed_as_json_reads_back(template, value):
    printed = render(template, Context({"v": [value]}))
    assert json.loads(printed) == [value]


def _render(template, typed):
    context = Context(VARIABLES, FixtureWorld({}))
    with suppress(ExpressionError):
        render(template, context, typed=typed)
