"""Templates that want out, or want everything: refused in a second and 100 MB, worker alive."""

import resource
import sys
import time

import pytest

from runner.expressions import ExpressionError, LimitExceeded, is_truthy
from runner.testing import render_vector

SECONDS = 1.0
AT_REST = 0.006  # seconds that `_slowness` takes there
MEGABYTES = 100
VARIABLES = {
    "x": "abc",
    "l": [1, 2],
    "m": {"a": 1},
    "r": "{{ render(r) }}",
    "doubles": "{{ doubles }}x{{ doubles }}",
    "deep": "{{ render(deep) }}{{ render(deep) }}",
    "big": "a b'c" * 200_000,
}

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ x.__class__.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x | attr('__class__') }}",
    "{{ '%(x)s' | format(x) }}",
    "{{ '%s'.format(x) }}",
    "{{ x.format(x) }}",
    "{{ self }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum }}",
    "{{ namespace() }}",
    "{{ config }}",
    "{{ range.__class__ }}",
    "{{ (1..3).start }}",
    "{% for i in l %}{{ loop.__class__ }}{% endfor %}",
    "{% for e in m %}{{ e.__class__ }}{% endfor %}",
    "{{ m.items() }}",
    "{{ m.__getitem__('a') }}",
    "{{ l.append(1) }}",
    "{{ m.get.__func__ }}",
    "{{ x.getClass() }}",
    "{{ x.class }}",
    "{{ _context }}",
    "{{ template }}",
    "{{ '2024' | date('yyyy', timeZone='../../../etc/passwd') }}",
    "{{ '2024' | date('yyyy', timeZone='/etc/passwd') }}",
    "{{ read('/etc/passwd') }}",
    "{{ read('../../etc/passwd') }}",
    "{{ read('file:///etc/passwd') }}",
    "{{ read('kestra:///../../etc/passwd') }}",
    "{{ http('file:///etc/passwd') }}",
    "{{ http('http://127.0.0.1/') }}",
    "{{ 1 | jq('$ENV') }}",
    "{{ 1 | jq('env.PATH') }}",
    "{{ 1 | jq('input') }}",
    "{{ 1 | jq('import \"a\" as a; .') }}",
    "{{ 1 | jq('include \"a\"; .') }}",
    "{{ 1 | jq('input_filename') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' %}",
    "{% extends 'x' %}",
]

HUGE = [
    "{{ range(1, 100000000000) }}",
    "{{ 1..100000000000 }}",
    "{{ (1..1000000) | toJson }}",
    "{{ (1..1000000) | chunk(1) }}",
    "{{ ((1..1000000) | reverse) - (1..1000000) }}",
    "{{ (1..1000000) | jq('map(. + 1) | length') }}",
    "{% for i in 1..1000000 %}{% for j in 1..1000000 %}x{% endfor %}{% endfor %}",
    "{% for i in 1..1000000 %}{{ i }}{{ i }}{{ i }}{% endfor %}",
    "{% for i in 1..900000 %}" + "a" * 50 + "{% endfor %}",
    "{{ 9**9**9 }}",
    "{{ '9e999999999' | number }}",
    "{{ '1e999999999' | number('BIGDECIMAL') }}",
    "{{ " + "9" * 100_000 + " }}",
    "{{ '" + "9" * 100_000 + "' | number }}",
    "{{ 10 | numberFormat('" + "0" * 5_000 + "') }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ '%.999999999f' | format(1.0) }}",
    "{% set s = 'aaaaaaaaaa' %}" + "{% set s = s ~ s %}" * 60 + "{{ s }}",
    "{% set s = 'aaaaaaaaaa' %}" + "{% set s = s + s %}" * 60 + "{{ s }}",
    "{% set s = 'aaaaaaaaaa' %}" + "{% set s = s | replace({'a': s}) %}" * 10,
    "{% set s = 'aaaaaaaaaa' %}" + "{% set s = s.replace('a', s) %}" * 10,
    "{% set l = [1] %}" + "{% set l = l + l %}" * 60 + "{{ l }}",
    "{% set l = [1] %}" + "{% set l = l | merge(l) %}" * 60 + "{{ l }}",
    "{{ 'a\nb' | indent(1000000000) }}",
    "{{ 'a' | nindent(99999999, 'xxxxxxxxxxxxxxxx') }}",
    "{{ big | replace({'': 'xxxxxxxxxxxxxxxxxxxxxxxx'}) }}",
    "{{ big | regexReplace('', 'xxxxxxxxxxxxxxxxxxxxxxxx') }}",
    "{{ nanoId(1000000000) }}",
    "{{ '2024-01-01' | dateAdd(99999999999999, 'MILLENNIA') }}",
    "{{ 9223372036854775807 | date }}",
    "{{ '2024-01-01' | date('" + "y" * 1_000 + "') }}",
    "{{ fromJson('" + "9" * 100_000 + "') }}",
    "{{ fromIon('" + "9" * 100_000 + "') }}",
    "{{ yaml('" + "9" * 100_000 + "') }}",
    "{{ render(doubles) }}",
    "{{ 1 | jq('[range(1000000000)]') }}",
    "{{ 1 | jq('\"a\" * 1000000000') }}",
    "{{ 1 | jq('null | .[100000000] = 1') }}",
    "{{ 1 | jq('[.,.] | until(false; .+.)') }}",
    "{{ 1 | jq('[limit(1000000000; repeat(1))]') }}",
    "{{ 1 | jq('[[range(1000)],[range(1000)],[range(1000)]] | [combinations]') }}",
    '{{ 1 | jq(\'reduce range(1000000) as $i (""; . + "aaaaaaaaaaaaaaaaaaaaaaaa")\') }}',
]

NESTED = [
    "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "{{ " + "[" * 5_000 + "]" * 5_000 + " }}",
    "{{ " + "{'a':" * 5_000 + "1" + "}" * 5_000 + " }}",
    "{{ " + "not " * 5_000 + "true }}",
    "{{ " + "- " * 5_000 + "1 }}",
    "{{ " + "true ? 1 : " * 5_000 + "1 }}",
    "{{ x" + " | upper" * 5_000 + " }}",
    "{{ x" + " | default(1) ?? 2" * 5_000 + " }}",
    "{{ " + '"#{' * 200 + "1" + '}"' * 200 + " }}",
    "{% if true %}" * 1_000 + "{% endif %}" * 1_000,
    "{% for i in l %}" * 1_000 + "{% endfor %}" * 1_000,
    "{% set l = [1] %}" + "{% set l = [l] %}" * 500 + "{{ l }}",
    "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% block a %}{{ block('a') }}{% endblock %}",
    "{{ render(r) }}",
    "{{ renderOnce(r) }}",
    "{{ render(deep) }}",
    "{{ 1 | jq('def f: f; f') }}",
    "{{ 1 | jq('def f: ., f; f') }}",
    "{{ 1 | jq('repeat(.)') }}",
    "{{ 1 | jq('until(false; .)') }}",
    "{{ 1 | jq('" + "[" * 3_000 + "]" * 3_000 + "') }}",
    "{{ yaml('" + "[" * 5_000 + "') }}",
    "{{ fromJson('" + "[" * 100_000 + "') }}",
    "{{ fromIon('" + "[" * 5_000 + "') }}",
]

_BOMB = "{% set l = [1] %}" + "{% set l = [l, l] %}" * 60
SHARED = [
    _BOMB + "{{ l }}",
    _BOMB + "{{ l ~ '' }}",
    _BOMB + "{{ l | yaml }}",
    _BOMB + "{{ l | toIon }}",
    _BOMB + "{{ l | jq('.') }}",
    _BOMB + "{{ l | replace({'a': 'b'}) }}",
    _BOMB + _BOMB.replace("l", "k").replace("ekse", "else") + "{{ l == k }}",
    "{{ 1 | jq('reduce range(100) as $i (1; [.,.])') }}",
]

PATTERNS = [
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | regexMatch('^(a|aa)+$') }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | split('^(a|aa)+$') }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'"
    " | replace({'^(a|aa)+$': ''}, regexp=true) }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | regexExtract('^(a|aa)+$') }}",
    "{{ '\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"' | jq('test(\"^(a|aa)+$\")') }}",
    "{{ '\"a\"' | jq('test(\"(a{1000}){1000}\")') }}",
    "{{ 'a' matches 'a{99999999}' }}",
]


@pytest.mark.parametrize("template", ESCAPES, ids=lambda template: template[:60])
def test_there_is_no_way_out_of_the_closed_world(template):
    _assert_refused(template, ExpressionError)


@pytest.mark.parametrize("template", HUGE, ids=lambda template: template[-60:])
def test_what_would_be_huge_is_refused(template):
    _assert_refused(template, ExpressionError)


@pytest.mark.parametrize("template", NESTED, ids=lambda template: template[:60])
def test_what_nests_too_deeply_is_refused(template):
    _assert_refused(template, ExpressionError)


@pytest.mark.parametrize("template", SHARED, ids=lambda template: template[-40:])
def test_a_structure_that_shares_its_parts_cannot_explode(template):
    _assert_refused(template, LimitExceeded)
    _assert_refused(template, ExpressionError, typed=True)


@pytest.mark.parametrize("template", PATTERNS, ids=lambda template: template[-40:])
def test_a_regular_expression_that_backtracks_is_stopped(template):
    _assert_refused(template, ExpressionError)


@pytest.mark.parametrize(
    "expression",
    [
        " ~ ".join(["'a'"] * 5_000),
        " + ".join(["1"] * 5_000),
        " ?? ".join(["x"] * 5_000),
        " and ".join(["true"] * 5_000),
        "1" + " * 1" * 5_000,
    ],
    ids=["~", "+", "??", "and", "*"],
)
def test_a_long_chain_of_one_operator_is_no_nesting(expression):
    assert is_truthy(render_vector("{{ " + expression + " }}", VARIABLES, typed=False))


def test_a_format_string_reaches_no_attribute():
    rendered = render_vector("{{ '{0.__class__} {x}' | format(x) }}", VARIABLES, typed=False)
    assert rendered == "{0.__class__} {x}"


def test_the_locale_is_no_path():
    rendered = render_vector("{{ '2024-01-01' | date('yyyy', locale='../x') }}", {}, typed=False)
    assert rendered == "2024"


def _assert_refused(template, error, typed=False):
    before, slowness = _peak_megabytes(), _slowness()
    seconds, message = _refusal(template, error, typed)
    if seconds >= SECONDS * slowness:  # the cores are shared: once more
        slowness = max(slowness, _slowness())
        seconds = min(seconds, _refusal(template, error, typed)[0])
    assert seconds < SECONDS * max(slowness, _slowness())
    assert _peak_megabytes() - before < MEGABYTES
    assert len(message) < 1_000


def _refusal(template, error, typed):
    start = time.thread_time()
    with pytest.raises(error) as raised:
        render_vector(template, VARIABLES, typed=typed)
    return time.thread_time() - start, str(raised.value)


def _slowness():
    """How many times slower a fixed piece of work is just now than on a machine at rest: cores that
    are shared count more time for the same work.
    """
    start = time.thread_time()
    sum(number % 7 for number in range(200_000))
    return max(1.0, (time.thread_time() - start) / AT_REST)


def _peak_megabytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform != "darwin" else peak // 1024 // 1024
