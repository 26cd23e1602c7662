import pytest

from runner.expressions import ExpressionProblem, check


@pytest.mark.parametrize(
    "template",
    [
        "no expression",
        "{{ inputs.anything | upper }}",
        "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1) }}",
        "{{ x is defined ? x : block('b') }}",
        "{% raw %}{{ not | parsed(( }}{% endraw %}",
    ],
)
def test_a_template_that_may_render_has_no_problem(template):
    assert check(template) == []


def test_a_syntax_error_is_told_with_its_place():
    (problem,) = check("\n{{ a b }}")
    assert (problem.line, problem.column) == (2, 6)
    assert problem.message == "expected }}, found 'b'"


def test_unknown_names_are_all_told_with_the_nearest_known_one():
    problems = check("{{ a | uper }}\n{{ secrt('X') }} {{ a is emty }}")
    assert problems == [
        ExpressionProblem("unknown filter 'uper'; did you mean 'upper'?", 1, 8, suggestion="upper"),
        ExpressionProblem(
            "unknown function 'secrt'; did you mean 'secret'?", 2, 4, suggestion="secret"
        ),
        ExpressionProblem("unknown test 'emty'; did you mean 'empty'?", 2, 26, suggestion="empty"),
    ]


def test_names_inside_tags_macros_and_filter_blocks_are_checked():
    template = (
        "{% macro m(a) %}{{ a | nope1 }}{% endmacro %}"
        "{% filter nope2 %}{% for x in nope3() %}{{ x }}{% endfor %}{% endfilter %}"
        "{% if a is nope4 %}{% endif %}"
    )
    found = [problem.message.split("'")[1] for problem in check(template)]
    assert found == ["nope1", "nope2", "nope3", "nope4"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 'a' | abbreviate }}", "abbreviate(length*) needs the argument 'length'"),
        ("{{ 'a' | slice(0, 1, 2) }}", "slice(fromIndex=0, toIndex) takes at most 2 arguments"),
        ("{{ now(formt='iso') }}", "has no argument 'formt'; did you mean 'format'?"),
        ("{{ secret() }}", "needs the argument 'key'"),
    ],
)
def test_arguments_that_cannot_fit_are_told(template, message):
    (problem,) = check(template)
    assert message in problem.message


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if x %}", "{% if %} is not closed by {% endif %}"),
        ("{% endif %}", "{% endif %} closes nothing"),
        ("{% fro x in y %}", "unknown tag 'fro'; did you mean 'for'?"),
        ("{{ 'open }}", "the string is not closed"),
        ("{{ (1 }}", "closes nothing"),
        ("{{ x", "{{ is not closed by }}"),
        ("{# x", "the comment is not closed by #}"),
        ("{{ }}", "expected an expression, found }}"),
        ("{{ 99999999999999999999 }}", "does not fit 64 bits"),
        ("{% set true = 1 %}", "'true' is a literal and cannot be assigned"),
    ],
)
def test_syntax_errors_say_what_is_missing(template, message):
    (problem,) = check(template)
    assert message in problem.message


@pytest.mark.parametrize(
    "text", ["docker ps --format '{{.Names}}'", "echo ${#A}", "x {{- .Values.a -}}", "date +{%Y}"]
)
def test_braces_of_another_tool_are_told_how_to_stay(text):
    (problem,) = check(text)

    assert problem.message.endswith("belong between {% raw %} and {% endraw %}")
    assert check(f"{{% raw %}}{text}{{% endraw %}}") == []
