"""Runs jq programs: each node is a function from a value to an iterator of results.

Results travel as pairs (path, value). The path is a tuple of keys while a path expression is
evaluated (`path(f)`, `f |= g`, `del(f)`), and None otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.errors import ExpressionError
from runner.expressions.jsontext import InvalidJson, is_blank, read_first

from . import data
from .data import JqError, describe, is_true, type_name
from .syntax import Ast, parse_program

Path = tuple[Any, ...] | None
Pair = tuple[Path, Any]
Run = Callable[["Environment", Path, Any], Iterator[Pair]]

_COST = 2
_NOW = "the clock"


def run_program(value: Any, program: Any, budget: Budget, now: Callable[[], datetime]) -> list[Any]:
    """All results of the program; a text is read as JSON first.

    Raises:
        ExpressionError: the program is malformed, fails, or costs too much.
    """
    if not isinstance(program, str):
        raise ExpressionError("jq needs a program as a string")
    run = compiled(program)
    value = _parsed(value) if isinstance(value, str) else data.from_value(value, budget)
    root = Environment(None, _NOW, now, budget)
    results: list[Any] = []
    try:
        for _, result in run(root, None, value):
            results.append(result)
            budget.allow_elements(len(results))
    except Break as error:
        raise ExpressionError("jq: break without its label") from error
    except RecursionError as error:
        raise ExpressionError("jq: the program recurses too deeply") from error
    return results


@lru_cache(maxsize=256)
def compiled(program: str) -> Run:
    """The program ready to run."""
    return compile_ast(parse_program(program))


def _parsed(text: str) -> Any:
    if is_blank(text):
        return None
    try:
        return read_first(text)
    except InvalidJson as error:
        raise ExpressionError(f"jq: the input is no JSON: {error}") from error


class Break(Exception):
    """Leaves the label of that identity."""

    def __init__(self, target: object) -> None:
        super().__init__()
        self.target = target


class Environment:
    """Variables (`$x`) and functions (`name/arity`) in sight; the innermost first."""

    __slots__ = ("budget", "name", "parent", "value")

    def __init__(
        self, parent: Environment | None, name: str | None, value: Any, budget: Budget
    ) -> None:
        self.parent = parent
        self.name = name
        self.value = value
        self.budget = budget

    def bind(self, name: str, value: Any) -> Environment:
        """The environment with one more name."""
        return Environment(self, name, value, self.budget)

    def find(self, name: str) -> Any:
        """What the name stands for, `None` if nothing does."""
        scope: Environment | None = self
        while scope is not None:
            if scope.name == name:
                return scope
            scope = scope.parent
        return None


def clock_of(env: Environment) -> Callable[[], datetime]:
    """The clock that was handed to the program."""
    clock: Callable[[], datetime] = env.find(_NOW).value
    return clock


class Function:
    """A `def` with the environment in which it was written."""

    __slots__ = ("body", "environment", "parameters")

    def __init__(self, parameters: tuple[str, ...], body: Run, environment: Environment) -> None:
        self.parameters = parameters
        self.body = body
        self.environment = environment


class Closure:
    """An argument: code with the environment of the call."""

    __slots__ = ("environment", "run")

    def __init__(self, run: Run, environment: Environment) -> None:
        self.run = run
        self.environment = environment

    def __call__(self, path: Path, value: Any) -> Iterator[Pair]:
        return self.run(self.environment, path, value)

    def values(self, value: Any) -> Iterator[Any]:
        """The results without paths."""
        for _, result in self.run(self.environment, None, value):
            yield result

    def first(self, value: Any) -> Any:
        """The first result, null if there is none."""
        return next(self.values(value), None)


def invalid_path(value: Any) -> JqError:
    """The error about an expression that is no path."""
    return JqError(f"Invalid path expression with result {data.to_json(value)[:40]}")


# ---- access


def index(path: Path, value: Any, key: Any) -> Pair:
    """One step down."""
    below: Path = None if path is None else (*path, key)
    return below, get(value, key)


def get(value: Any, key: Any) -> Any:
    """What stands under the key; null where nothing does."""
    if isinstance(key, str):
        if value is None:
            return None
        if isinstance(value, dict):
            return value.get(key)
    elif isinstance(key, bool) or key is None:
        pass
    elif isinstance(key, int | float):
        if value is None:
            return None
        if isinstance(value, list):
            return _element(value, key)
    elif isinstance(key, dict):
        return slice_of(value, key.get("start"), key.get("end"))
    elif isinstance(key, list) and isinstance(value, list):
        return positions(value, key)
    if isinstance(key, str):
        raise JqError(f'Cannot index {type_name(value)} with "{key}"')
    raise JqError(f"Cannot index {type_name(value)} with {type_name(key)}")


def _element(items: list[Any], key: float) -> Any:
    if key != key or abs(key) > 2**62 or key != int(key):
        return None
    position = int(key)
    if position < 0:
        position += len(items)
    return items[position] if 0 <= position < len(items) else None


def positions(items: list[Any], sought: list[Any]) -> list[int] | None:
    """Where the sought list begins in the other."""
    if not sought:
        return None
    size = len(sought)
    return [i for i in range(len(items) - size + 1) if items[i : i + size] == sought]


def bounds(length: int, start: Any, end: Any) -> tuple[int, int]:
    """A slice's bounds as positions."""
    found = []
    for bound, default in ((start, 0), (end, length)):
        if bound is None:
            found.append(default)
        elif isinstance(bound, int | float) and not isinstance(bound, bool):
            whole = int(bound // 1) if bound is start else -int(-bound // 1)
            found.append(max(0, min(length, whole + length if whole < 0 else whole)))
        else:
            raise JqError("Start and end indices of an array slice must be numbers")
    return found[0], max(found)


def slice_of(value: Any, start: Any, end: Any) -> Any:
    """A part of a list or text."""
    if value is None:
        return None
    if not isinstance(value, list | str):
        raise JqError(f"Cannot index {type_name(value)} with object")
    first, last = bounds(len(value), start, end)
    return value[first:last]


def iterate(path: Path, value: Any) -> Iterator[Pair]:
    """Each element or entry."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield (None if path is None else (*path, position)), item
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (None if path is None else (*path, key)), item
    else:
        raise JqError(f"Cannot iterate over {describe(value) if value is not None else 'null'}")


# ---- nodes


def compile_ast(node: Ast) -> Run:
    """The function of a node."""
    return _COMPILERS[node[0]](*node[1:])


def _identity() -> Run:
    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        yield path, value

    return run


def _literal(constant: Any) -> Run:
    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        if path is not None and constant is not None:
            raise invalid_path(constant)
        yield path, constant

    return run


def plain(evaluate: Callable[[Environment, Any], Iterator[Any]]) -> Run:
    """A node whose results are new values, thus no paths."""

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        env.budget.spend(_COST)
        for result in evaluate(env, value):
            if path is not None:
                raise invalid_path(result)
            yield None, result

    return run


def values(run: Run, env: Environment, value: Any) -> Iterator[Any]:
    """The results of a node without paths."""
    for _, result in run(env, None, value):
        yield result


def _index(term: Ast, key: Ast) -> Run:
    source = compile_ast(term)
    if key[0] == "literal":
        constant = key[1]

        def run_constant(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
            for below, item in source(env, path, value):
                env.budget.spend(_COST)
                yield index(below, item, constant)

        return run_constant
    subscript = compile_ast(key)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in source(env, path, value):
            for wanted in values(subscript, env, value):
                env.budget.spend(_COST)
                yield index(below, item, wanted)

    return run


def _slice(term: Ast, start: Ast | None, end: Ast | None) -> Run:
    source = compile_ast(term)
    nothing = ("literal", None)
    first, last = compile_ast(start or nothing), compile_ast(end or nothing)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in source(env, path, value):
            for finish in values(last, env, value):
                for begin in values(first, env, value):
                    env.budget.spend(_COST)
                    key = {"start": begin, "end": finish}
                    yield (None if below is None else (*below, key)), slice_of(item, begin, finish)

    return run


def _iterate(term: Ast) -> Run:
    source = compile_ast(term)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in source(env, path, value):
            for pair in iterate(below, item):
                env.budget.spend()
                yield pair

    return run


def _pipe(left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in first(env, path, value):
            yield from second(env, below, item)

    return run


def _comma(left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        yield from first(env, path, value)
        yield from second(env, path, value)

    return run


def _alternative(left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        found = False
        for pair in first(env, path, value):
            if is_true(pair[1]):
                found = True
                yield pair
        if not found:
            yield from second(env, path, value)

    return run


def _binary(operator: str, left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)
    compute = _comparison(operator) if operator in _ORDERS else _arithmetic(operator)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        for two in values(second, env, value):
            for one in values(first, env, value):
                env.budget.spend(_COST)
                yield compute(one, two, env.budget)

    return plain(evaluate)


_ORDERS: dict[str, Callable[[int], bool]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _comparison(operator: str) -> Callable[[Any, Any, Budget], bool]:
    holds = _ORDERS[operator]
    return lambda one, two, budget: holds(data.compare(one, two, budget))


def _arithmetic(operator: str) -> Callable[[Any, Any, Budget], Any]:
    return lambda one, two, budget: data.arithmetic(operator, one, two, budget)


def _negate(operand: Ast) -> Run:
    source = compile_ast(operand)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        for number in values(source, env, value):
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise JqError(f"{describe(number)} cannot be negated")
            yield -number

    return plain(evaluate)


def _and(left: Ast, right: Ast) -> Run:
    return _logic(left, right, decides=False)


def _or(left: Ast, right: Ast) -> Run:
    return _logic(left, right, decides=True)


def _logic(left: Ast, right: Ast, *, decides: bool) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        for one in values(first, env, value):
            if is_true(one) is decides:
                yield decides
            else:
                for two in values(second, env, value):
                    yield is_true(two)

    return plain(evaluate)


def _if(test: Ast, chosen: Ast, otherwise: Ast) -> Run:
    condition, first, second = map(compile_ast, (test, chosen, otherwise))

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for result in values(condition, env, value):
            env.budget.spend(_COST)
            yield from (first if is_true(result) else second)(env, path, value)

    return run


def _try(body: Ast, handler: Ast | None) -> Run:
    attempt = compile_ast(body)
    rescue = compile_ast(handler) if handler else None

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        try:
            yield from attempt(env, path, value)
        except JqError as error:
            if rescue is None:
                return
            caught = error.value
        else:
            return
        yield from rescue(env, None, caught)

    return run


def _label(name: str, body: Ast) -> Run:
    inside = compile_ast(body)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        target = object()
        try:
            yield from inside(env.bind(f"*{name}", target), path, value)
        except Break as jump:
            if jump.target is not target:
                raise

    return run


def _break(name: str) -> Run:
    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        scope = env.find(f"*{name}")
        if scope is None:
            raise ExpressionError(f"jq: {name} is no label")
        yield from _jump(scope.value)

    return run


def _jump(target: object) -> Iterator[Pair]:
    raise Break(target)


def _array(inner: Ast) -> Run:
    source = compile_ast(inner)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        items: list[Any] = []
        for item in values(source, env, value):
            items.append(item)
            if not len(items) % 64:
                env.budget.spend(32)
                env.budget.allow_elements(len(items))
        yield items

    return plain(evaluate)


def _object(entries: tuple[tuple[Ast, Ast], ...]) -> Run:
    pairs = [(compile_ast(key), compile_ast(item)) for key, item in entries]

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        yield from _objects(env, value, pairs, {})

    return plain(evaluate)


def _objects(
    env: Environment, value: Any, pairs: list[tuple[Run, Run]], made: dict[str, Any]
) -> Iterator[Any]:
    if not pairs:
        yield dict(made)
        return
    (key_run, item_run), *rest = pairs
    for key in values(key_run, env, value):
        if not isinstance(key, str):
            raise JqError(f"Object keys must be strings, not {describe(key)}")
        for item in values(item_run, env, value):
            env.budget.spend(_COST)
            yield from _objects(env, value, rest, {**made, key: item})


def _text(name: str | None, parts: tuple[Any, ...]) -> Run:
    from .builtins import formatter

    write = formatter(name or "@text")
    pieces = [part if isinstance(part, str) else compile_ast(part) for part in parts]

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        yield from _texts(env, value, pieces, "")

    def _texts(env: Environment, value: Any, rest: list[Any], done: str) -> Iterator[str]:
        if not rest:
            yield done
            return
        piece, *following = rest
        if isinstance(piece, str):
            yield from _texts(env, value, following, done + piece)
            return
        for inner in values(piece, env, value):
            env.budget.spend(_COST)
            written = done + write(inner, env.budget)
            env.budget.allow_text(len(written))
            yield from _texts(env, value, following, written)

    return plain(evaluate)


def _format(name: str) -> Run:
    from .builtins import formatter

    write = formatter(name)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        yield write(value, env.budget)

    return plain(evaluate)


def _variable(name: str) -> Run:
    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        scope = env.find(name)
        if scope is None:
            raise ExpressionError(f"jq: {name} is not defined")
        yield scope.value

    return plain(evaluate)


def _as(source: Ast, pattern: Ast, body: Ast) -> Run:
    from_, inside = compile_ast(source), compile_ast(body)
    binder = _binder(pattern)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for item in values(from_, env, value):
            env.budget.spend(_COST)
            for scope in binder(env, item):
                yield from inside(scope, path, value)

    return run


Binder = Callable[["Environment", Any], Iterator["Environment"]]


def _binder(pattern: Ast) -> Binder:
    if pattern[0] == "variable":
        name = pattern[1]

        def bind(env: Environment, value: Any) -> Iterator[Environment]:
            yield env.bind(name, value)

        return bind
    if pattern[0] == "array":
        return _array_binder([_binder(inner) for inner in pattern[1]])
    return _object_binder(
        [
            (compile_ast(key), variable, _binder(inner) if inner else None)
            for key, variable, inner in pattern[1]
        ]
    )


def _array_binder(binders: list[Binder]) -> Binder:
    def bind(env: Environment, value: Any) -> Iterator[Environment]:
        yield from _rest(env, value, 0)

    def _rest(env: Environment, value: Any, position: int) -> Iterator[Environment]:
        if position == len(binders):
            yield env
            return
        if value is not None and not isinstance(value, list):
            raise JqError(f"Cannot index {type_name(value)} with number")
        for scope in binders[position](env, get(value, position)):
            yield from _rest(scope, value, position + 1)

    return bind


def _object_binder(entries: list[tuple[Run, str | None, Binder | None]]) -> Binder:
    def bind(env: Environment, value: Any) -> Iterator[Environment]:
        yield from _rest(env, value, 0)

    def _rest(env: Environment, value: Any, position: int) -> Iterator[Environment]:
        if position == len(entries):
            yield env
            return
        key_run, variable, inner = entries[position]
        for key in values(key_run, env, value):
            if not isinstance(key, str):
                raise JqError(f"Cannot index {type_name(value)} with {type_name(key)}")
            item = get(value, key)
            scope = env.bind(variable, item) if variable else env
            for below in inner(scope, item) if inner else (scope,):
                yield from _rest(below, value, position + 1)

    return bind


def _reduce(source: Ast, pattern: Ast, start: Ast, update: Ast, _: Ast | None) -> Run:
    from_, begin, step = compile_ast(source), compile_ast(start), compile_ast(update)
    binder = _binder(pattern)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for first in begin(env, path, value):
            state: Pair = first
            for item in values(from_, env, value):
                env.budget.spend(_COST)
                for scope in binder(env, item):
                    last: Pair = (state[0] if path is None else (), None)
                    for pair in step(scope, *state):
                        last = pair
                    state = last
            yield state

    return run


def _foreach(source: Ast, pattern: Ast, start: Ast, update: Ast, extract: Ast | None) -> Run:
    from_, begin, step = compile_ast(source), compile_ast(start), compile_ast(update)
    binder = _binder(pattern)
    shown = compile_ast(extract or ("identity",))

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for first in begin(env, path, value):
            state: Pair = first
            for item in values(from_, env, value):
                env.budget.spend(_COST)
                for scope in binder(env, item):
                    for pair in step(scope, *state):
                        state = pair
                        yield from shown(scope, *pair)

    return run


def _def(definition: tuple[str, tuple[str, ...], Ast], rest: Ast) -> Run:
    name, parameters, body = definition
    key = f"{name}/{len(parameters)}"
    inside, following = compile_ast(body), compile_ast(rest)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        scope = env.bind(key, None)
        scope.value = Function(parameters, inside, scope)
        yield from following(scope, path, value)

    return run


def _call(name: str, arguments: tuple[Ast, ...]) -> Run:
    from . import builtins

    runs = tuple(compile_ast(argument) for argument in arguments)
    key = f"{name}/{len(arguments)}"

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        env.budget.spend(_COST)
        scope = env.find(key)
        if scope is None:
            builtin = builtins.find(key)
            if builtin is None:
                raise JqError(f"{key} is not defined")
            yield from builtin(env, path, value, [Closure(run, env) for run in runs])
        elif isinstance(scope.value, Closure):
            yield from scope.value(path, value)
        else:
            yield from invoke(scope.value, [Closure(run, env) for run in runs], path, value)

    return run


def invoke(
    function: Function, arguments: list[Closure], path: Path, value: Any, position: int = 0
) -> Iterator[Pair]:
    env = function.environment
    names = function.parameters
    while position < len(names) and not names[position].startswith("$"):
        env = env.bind(f"{names[position]}/0", arguments[position])
        position += 1
    if position == len(names):
        yield from function.body(env, path, value)
        return
    for item in arguments[position].values(value):
        bound = env.bind(names[position], item)
        constant = Closure(_literal(item), env)
        bound = bound.bind(f"{names[position][1:]}/0", constant)
        inner = Function(names, function.body, bound)
        yield from invoke(inner, arguments, path, value, position + 1)


def _assign(operator: str, left: Ast, right: Ast) -> Run:
    from .paths import assign, update, update_with

    target, source = compile_ast(left), compile_ast(right)
    if operator == "|=":
        return plain(lambda env, value: update(env, value, target, source))
    if operator == "=":
        return plain(lambda env, value: assign(env, value, target, source))
    symbol = operator[:-1]
    return plain(lambda env, value: update_with(env, value, target, source, symbol))


_COMPILERS: dict[str, Callable[..., Run]] = {
    "identity": _identity,
    "literal": _literal,
    "index": _index,
    "slice": _slice,
    "iterate": _iterate,
    "pipe": _pipe,
    "comma": _comma,
    "alternative": _alternative,
    "binary": _binary,
    "negate": _negate,
    "and": _and,
    "or": _or,
    "if": _if,
    "try": _try,
    "label": _label,
    "break": _break,
    "array": _array,
    "object": _object,
    "text": _text,
    "format": _format,
    "variable": _variable,
    "as": _as,
    "reduce": _reduce,
    "foreach": _foreach,
    "def": _def,
    "call": _call,
    "assign": _assign,
}
