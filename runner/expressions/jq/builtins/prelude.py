"""Builtins written in jq, and the look-up of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from runner.expressions.jq.compiling import compile_ast
from runner.expressions.jq.environment import Closure, Environment, Function, Pair, Path
from runner.expressions.jq.syntax import parse_program

from .registering import TABLE, Builtin


def find(key: str) -> Builtin | None:
    """The builtin called `name/arity`."""
    return TABLE.get(key) or _from_prelude(key)


_PRELUDE = """
def map(f): [.[] | f];
def map_values(f): .[] |= f;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type == "array" or type == "object");
def scalars: select(type != "array" and type != "object");
def recurse(f; cond): def r: ., (f | select(cond) | r); r;
def recurse_down: recurse;
def while(cond; update): def _while: if cond then ., (update | _while) else empty end; _while;
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f):
  if $n < 0 then error("Out of bounds negative array index") else last(limit($n + 1; f)) end;
def any(f): isempty(first(.[] | f | select(.))) | not;
def any(g; f): isempty(first(g | f | select(.))) | not;
def any: any(.);
def all(f): isempty(first(.[] | f | select(. | not)));
def all(g; f): isempty(first(g | f | select(. | not)));
def all: all(.);
def paths: path(recurse) | select(length > 0);
def paths(f): path(recurse | select(f)) | select(length > 0);
def leaf_paths: paths(scalars);
def with_entries(f): to_entries | map(f) | from_entries;
def walk(f): . as $in
  | if type == "object" then
      reduce keys_unsorted[] as $k ({}; . + {($k): ($in[$k] | walk(f))}) | f
    elif type == "array" then map(walk(f)) | f
    else f end;
def combinations:
  if length == 0 then [] else
    .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w
  end;
def combinations(n): . as $dot | [range(n)] | map($dot) | combinations;
def ascii: [.] | implode;
def finites: numbers | select(isinfinite or isnan | not);
def normals: select(isnormal);
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
.
"""


@lru_cache(maxsize=1)
def _prelude() -> dict[str, Any]:
    program = parse_program(_PRELUDE)
    found: dict[str, Any] = {}
    while program[0] == "def":
        name, parameters, body = program[1]
        found[f"{name}/{len(parameters)}"] = (parameters, compile_ast(body))
        program = program[2]
    return found


def _from_prelude(key: str) -> Builtin | None:
    from runner.expressions.jq.control import invoke

    entry = _prelude().get(key)
    if entry is None:
        return None
    parameters, body = entry

    def run(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
        root = Environment(None, None, None, env.budget)
        yield from invoke(Function(parameters, body, root), arguments, path, value)

    TABLE[key] = run
    return run
