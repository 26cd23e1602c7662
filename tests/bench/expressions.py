"""How long expressions take, beside Jinja2's own rendering of the same.

python tests/bench/expressions.py            # prints a table, microseconds
python tests/bench/expressions.py --check    # a cached simple render: at most 2 × Jinja2
"""

from __future__ import annotations

import argparse
import sys
import timeit
from collections.abc import Callable

import jinja2

from runner.expressions import Context, render
from runner.expressions.rendering import forget_templates

VARIABLES = {
    "inputs": {"name": "Ann", "env": "prod", "day": "2024-03-31"},
    "outputs": {"a": {"value": 42, "rows": [{"id": 1}, {"id": 2}, {"id": 3}]}},
    "flow": {"id": "etl", "namespace": "company.team"},
    "vars": {"bucket": "landing"},
}
SQL = "\n".join(
    "SELECT '{{ inputs.env }}', {{ outputs.a.value }}, '{{ flow.id }}' FROM {{ vars.bucket }}"
    for _ in range(40)
)
CASES = {
    "plain text": ("no expression in here", "no expression in here"),
    "one value": ("{{ outputs.a.value }}", "{{ outputs.a.value }}"),
    "text and value": ("Hello {{ inputs.name }}", "Hello {{ inputs.name }}"),
    "path": (
        "{{ flow.namespace }}/{{ flow.id }}/{{ vars.x ?? 'd' }}/{{ inputs.env == 'prod' ? 1 : 2 }}",
        "{{ flow.namespace }}/{{ flow.id }}/{{ vars.x or 'd' }}/"
        "{{ 1 if inputs.env == 'prod' else 2 }}",
    ),
    "filters": (
        "{{ inputs.name | upper | trim }} {{ inputs.env | lower }}",
        "{{ inputs.name | upper | trim }} {{ inputs.env | lower }}",
    ),
    "loop": (
        "{% for r in outputs.a.rows %}{% if r.id > 1 %}{{ r.id }},{% endif %}{% endfor %}",
        "{% for r in outputs.a.rows %}{% if r.id > 1 %}{{ r.id }},{% endif %}{% endfor %}",
    ),
    "SQL of 40 lines, 160 expressions": (SQL, SQL),
}
SIMPLE = ("one value", "text and value")
ROUNDS = 25


def main() -> int:
    """Measure, print, and with `--check` judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    context = Context(VARIABLES)
    environment = jinja2.Environment(autoescape=False)
    slow = []
    print(f"{'microseconds':34}{'cached':>9}{'cold':>9}{'Jinja2':>9}{'cold':>9}{'ratio':>7}")
    for name, (ours, theirs) in CASES.items():
        template = environment.from_string(theirs)
        cached = best(lambda text=ours: render(text, context))
        cold = best(lambda text=ours: render_cold(text, context), rounds=5)
        their_cached = best(lambda ready=template: ready.render(VARIABLES))
        their_cold = best(lambda text=theirs: jinja_cold(text), rounds=3)
        ratio = cached / their_cached
        print(f"{name:34}{cached:9.1f}{cold:9.0f}{their_cached:9.1f}{their_cold:9.0f}{ratio:7.2f}")
        if name in SIMPLE and ratio > 2:
            slow.append(name)
    if is_check and slow:
        print(f"slower than 2 × Jinja2: {', '.join(slow)}", file=sys.stderr)
        return 1
    return 0


def render_cold(text: str, context: Context) -> str:
    """Render as if for the first time."""
    forget_templates()
    rendered: str = render(text, context)
    return rendered


def jinja_cold(text: str) -> str:
    """Compile and render once, in an environment that has seen nothing."""
    return jinja2.Environment(autoescape=False).from_string(text).render(VARIABLES)


def best(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The best of several measurements, in microseconds."""
    timer = timeit.Timer(run)
    count = max(1, int(0.01 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(rounds, count)) / count * 1e6


if __name__ == "__main__":
    sys.exit(main())
