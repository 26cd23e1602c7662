"""The functions that jq offers."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any
from urllib.parse import quote

from ..budget import Budget
from ..errors import ExpressionError
from . import data
from .data import JqError, describe, is_true, type_name
from .paths import delete_paths, get_path, set_path
from .program import Closure, Environment, Function, Pair, Path, clock_of, compile_ast, get, invalid_path, iterate
from .syntax import parse_program

Builtin = Callable[[Environment, Path, Any, list[Closure]], Iterator[Pair]]

_TABLE: dict[str, Builtin] = {}


def find(key: str) -> Builtin | None:
    """The builtin called `name/arity`."""
    return _TABLE.get(key) or _from_prelude(key)


def _value(key: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of the input and the values of its arguments (all combinations of them)."""

    def register(code: Callable[..., Any]) -> Callable[..., Any]:
        def run(
            env: Environment, path: Path, value: Any, arguments: list[Closure]
        ) -> Iterator[Pair]:
            choices = (list(argument.values(value)) for argument in reversed(arguments))
            for given in product(*choices):
                result = code(value, *reversed(given), env.budget)
                if path is not None:
                    raise invalid_path(result)
                yield None, result

        _TABLE[key] = run
        return code

    return register


def _closures(key: str) -> Callable[[Builtin], Builtin]:
    """A function of the input and its arguments as code."""

    def register(code: Builtin) -> Builtin:
        _TABLE[key] = code
        return code

    return register


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise JqError(message)


def _list(value: Any, verb: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{describe(value)} cannot be {verb}, as it is not an array")
    return value


def _string(value: Any, message: str) -> str:
    if not isinstance(value, str):
        raise JqError(f"{describe(value)} {message}")
    return value


# ---- flow


@_closures("empty/0")
def _empty(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    return iter(())


@_value("error/0")
def _error(value: Any, budget: Budget) -> Any:
    raise JqError(value)


@_closures("error/1")
def _error_with(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    for message in arguments[0].values(value):
        if message is not None:  # an error of null is none, as in jackson-jq
            raise JqError(message)
    yield from ()


@_closures("select/1")
def _select(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for result in arguments[0].values(value):
        if is_true(result):
            yield path, value


@_closures("recurse/0")
def _recurse(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield from _descend(env, path, value, skips_null=True)


@_closures("../0")
def _everything(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    yield from _descend(env, path, value, skips_null=False)


def _descend(env: Environment, path: Path, value: Any, *, skips_null: bool) -> Iterator[Pair]:
    """The value and all below it; `recurse` passes over null, `..` does not."""
    env.budget.spend()
    yield path, value
    if isinstance(value, list | dict):
        for below, item in iterate(path, value):
            if item is not None or not skips_null:
                yield from _descend(env, below, item, skips_null=skips_null)


@_closures("recurse/1")
def _recurse_by(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    pending: list[Iterator[Pair]] = [iter([(path, value)])]
    while pending:
        pair = next(pending[-1], None)
        if pair is None:
            pending.pop()
            continue
        env.budget.spend(3)
        if pair[1] is None and len(pending) > 1:
            continue
        yield pair
        pending.append(arguments[0](*pair))


@_closures("limit/2")
def _limit(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for count in arguments[0].values(value):
        _check(isinstance(count, int | float), "limit needs a number")
        if count < 0:
            yield from arguments[1](path, value)
        if count <= 0:
            continue
        for position, pair in enumerate(arguments[1](path, value), 1):
            yield pair
            if position >= count:
                break


@_closures("first/1")
def _first(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for pair in arguments[0](path, value):
        yield pair
        return


@_closures("last/1")
def _last(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    found: Pair | None = None
    for found in arguments[0](path, value):
        pass
    if found is not None:
        yield found


@_closures("isempty/1")
def _isempty(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, next(arguments[0].values(value), _empty) is _empty


@_closures("until/2")
def _until(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    while not is_true(arguments[0].first(value)):
        env.budget.spend(4)
        pair = next(arguments[1](path, value), None)
        if pair is None:
            return
        path, value = pair
    yield path, value


@_closures("repeat/1")
def _repeat(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield from _recurse_by(env, path, value, arguments)


@_closures("path/1")
def _path(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for found, _ in arguments[0]((), value):
        yield None, list(found or ())


@_closures("getpath/1")
def _getpath(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for keys in arguments[0].values(value):
        _check(isinstance(keys, list), "Path must be specified as an array")
        yield (None if path is None else (*path, *keys)), get_path(value, keys)


@_value("setpath/2")
def _setpath(value: Any, keys: Any, new: Any, budget: Budget) -> Any:
    _check(isinstance(keys, list), "Path must be specified as an array")
    return set_path(value, keys, new, budget)


@_value("delpaths/1")
def _delpaths(value: Any, paths: Any, budget: Budget) -> Any:
    well_formed = isinstance(paths, list) and all(isinstance(path, list) for path in paths)
    _check(well_formed, "Paths must be specified as an array")
    return delete_paths(value, paths, budget)


@_closures("del/1")
def _del(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    found = [list(keys or ()) for keys, _ in arguments[0]((), value)]
    yield None, delete_paths(value, found, env.budget)


@_closures("range/1")
def _range_to(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for end in arguments[0].values(value):
        yield from _count(env, 0, end, 1)


@_closures("range/2")
def _range(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for start in arguments[0].values(value):
        for end in arguments[1].values(value):
            yield from _count(env, start, end, 1)


@_closures("range/3")
def _range_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for start in arguments[0].values(value):
        for end in arguments[1].values(value):
            for step in arguments[2].values(value):
                yield from _count(env, start, end, step)


def _count(env: Environment, start: Any, end: Any, step: Any) -> Iterator[Pair]:
    for bound in (start, end, step):
        is_number = isinstance(bound, int | float) and not isinstance(bound, bool)
        _check(is_number, "Range bounds must be numeric")
    if step == 0:
        return
    while start < end if step > 0 else start > end:
        env.budget.spend(2)
        yield None, start
        start = data.normal(start + step)


@_closures("now/0")
def _now(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, clock_of(env)().timestamp()


# ---- any value


@_value("not/0")
def _not(value: Any, budget: Budget) -> bool:
    return not is_true(value)


@_value("type/0")
def _type(value: Any, budget: Budget) -> str:
    return type_name(value)


@_value("length/0")
def _length(value: Any, budget: Budget) -> Any:
    if value is None:
        return 0
    _check(not isinstance(value, bool), f"{describe(value)} has no length")
    return abs(value) if isinstance(value, int | float) else len(value)


@_value("utf8bytelength/0")
def _utf8bytelength(value: Any, budget: Budget) -> int:
    return len(_string(value, "only strings have UTF-8 byte length").encode(errors="replace"))


@_value("tostring/0")
def _tostring(value: Any, budget: Budget) -> str:
    return data.to_text(data.normal(value), budget)


@_value("tojson/0")
def _tojson(value: Any, budget: Budget) -> str:
    return data.write_json(data.normal(value), budget)


@_value("fromjson/0")
def _fromjson(value: Any, budget: Budget) -> Any:
    import json

    try:
        return json.loads(_string(value, "cannot be parsed as JSON"))
    except (ValueError, RecursionError) as error:
        raise JqError(f"{error} (while parsing {value[:40]!r})") from error


@_value("tonumber/0")
def _tonumber(value: Any, budget: Budget) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = _string(value, "cannot be parsed as a number")
    try:
        if len(text) > 400 or "_" in text or not text.isascii():
            raise ValueError(text)
        return data.normal(float(text))
    except ValueError as error:
        raise JqError(f"{text[:40]!r} cannot be parsed as a number") from error


@_value("has/1")
def _has(value: Any, key: Any, budget: Budget) -> bool:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and isinstance(key, int | float) and not isinstance(key, bool):
        return 0 <= key < len(value)
    raise JqError(f"Cannot check whether {type_name(value)} has a {type_name(key)} key")


@_value("contains/1")
def _contains(value: Any, part: Any, budget: Budget) -> bool:
    if type_name(value) != type_name(part):
        raise JqError(f"{describe(value)} and {describe(part)} cannot have their containment checked")
    return _is_part(value, part, budget)


def _is_part(value: Any, part: Any, budget: Budget) -> bool:
    budget.spend()
    if isinstance(value, dict) and isinstance(part, dict):
        return all(key in value and _is_part(value[key], item, budget) for key, item in part.items())
    if isinstance(value, list) and isinstance(part, list):
        return all(any(_is_part(mine, item, budget) for mine in value) for item in part)
    if isinstance(value, str) and isinstance(part, str):
        return part in value
    return type_name(value) == type_name(part) and data.equal(value, part, budget)


@_value("keys/0")
def _keys(value: Any, budget: Budget) -> list[Any]:
    if isinstance(value, dict):
        return data.sort(list(value), budget)
    if isinstance(value, list):
        return list(range(len(value)))
    raise JqError(f"{describe(value)} has no keys")


@_value("keys_unsorted/0")
def _keys_unsorted(value: Any, budget: Budget) -> list[Any]:
    return list(value) if isinstance(value, dict) else _keys(value, budget)


@_value("add/0")
def _add(value: Any, budget: Budget) -> Any:
    items = list(value.values()) if isinstance(value, dict) else _list(value, "added")
    if items and all(isinstance(item, str) for item in items):
        budget.allow_text(sum(map(len, items)))
        return "".join(items)
    if items and all(isinstance(item, list) for item in items):
        budget.allow_elements(sum(map(len, items)))
        return [inner for item in items for inner in item]
    total: Any = None
    for item in items:
        budget.spend()
        total = data.arithmetic("+", total, item, budget)
    return total


# ---- lists


@_value("sort/0")
def _sort(value: Any, budget: Budget) -> list[Any]:
    return data.sort(_list(value, "sorted"), budget)


@_value("reverse/0")
def _reverse(value: Any, budget: Budget) -> Any:
    return [] if value is None else _list(value, "reversed")[::-1]


@_value("min/0")
def _min(value: Any, budget: Budget) -> Any:
    items = _list(value, "minimised")
    return min(items, key=data.sort_key(budget)) if items else None


@_value("max/0")
def _max(value: Any, budget: Budget) -> Any:
    items = _list(value, "maximised")
    return max(reversed(items), key=data.sort_key(budget)) if items else None


def _keyed(env: Environment, value: Any, by: Closure, verb: str) -> list[tuple[Any, Any]]:
    items = _list(value, verb)
    env.budget.spend(len(items))
    keyed = [(list(by.values(item)), item) for item in items]
    order = data.sort_key(env.budget)
    return sorted(keyed, key=lambda pair: order(pair[0]))


def _groups(env: Environment, value: Any, by: Closure) -> list[list[Any]]:
    groups: list[list[Any]] = []
    last: Any = None
    for key, item in _keyed(env, value, by, "grouped"):
        if groups and data.equal(key, last, env.budget):
            groups[-1].append(item)
        else:
            groups.append([item])
        last = key
    return groups


@_closures("sort_by/1")
def _sort_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, [item for _, item in _keyed(env, value, arguments[0], "sorted")]


@_closures("group_by/1")
def _group_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, _groups(env, value, arguments[0])


@_closures("unique_by/1")
def _unique_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, [group[0] for group in _groups(env, value, arguments[0])]


@_closures("min_by/1")
def _min_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    keyed = _keyed(env, value, arguments[0], "minimised")
    yield None, keyed[0][1] if keyed else None


@_closures("max_by/1")
def _max_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    keyed = _keyed(env, value, arguments[0], "maximised")
    yield None, keyed[-1][1] if keyed else None


@_value("unique/0")
def _unique(value: Any, budget: Budget) -> list[Any]:
    kept: list[Any] = []
    for item in data.sort(_list(value, "sorted"), budget):
        if not kept or not data.equal(kept[-1], item, budget):
            kept.append(item)
    return kept


@_value("flatten/0")
def _flatten(value: Any, budget: Budget) -> list[Any]:
    return _flat(value, math.inf, budget)


@_value("flatten/1")
def _flatten_to(value: Any, depth: Any, budget: Budget) -> list[Any]:
    _check(isinstance(depth, int | float), "flatten depth must be a number")
    _check(depth >= 0, "flatten depth must not be negative")
    return _flat(value, depth, budget)


def _flat(value: Any, depth: float, budget: Budget) -> list[Any]:
    items = list(value.values()) if isinstance(value, dict) else _list(value, "flattened")
    flat: list[Any] = []
    for item in items:
        budget.spend()
        if isinstance(item, list) and depth > 0:
            flat += _flat(item, depth - 1, budget)
            budget.allow_elements(len(flat))
        else:
            flat.append(item)
    return flat


@_value("transpose/0")
def _transpose(value: Any, budget: Budget) -> list[Any]:
    rows = _list(value, "transposed")
    for row in rows:
        if not isinstance(row, list):
            raise JqError(f"Cannot index {type_name(row)} with number")
    width = max(map(len, rows), default=0)
    budget.allow_elements(width * len(rows))
    return [[get(row, column) for row in rows] for column in range(width)]


@_value("to_entries/0")
def _to_entries(value: Any, budget: Budget) -> list[Any]:
    if not isinstance(value, dict | list):
        raise JqError(f"{describe(value)} has no keys")
    budget.spend(len(value))
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [{"key": key, "value": item} for key, item in pairs]


_KEY_NAMES = ("key", "k", "name", "Name", "Key", "K")
_VALUE_NAMES = ("value", "v", "Value", "V")


@_value("from_entries/0")
def _from_entries(value: Any, budget: Budget) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for entry in _list(value, "turned into an object"):
        budget.spend()
        if not isinstance(entry, dict):
            raise JqError(f'Cannot index {type_name(entry)} with "key"')
        key = next((entry[n] for n in _KEY_NAMES if entry.get(n) not in (None, False)), None)
        if key is None:
            key = next((entry[n] for n in _KEY_NAMES if entry.get(n) is not None), None)
        if isinstance(key, bool | int | float) or key is None:
            key = data.to_text(key, budget)
        if not isinstance(key, str):
            raise JqError(f"Cannot use {describe(key)} as object key")
        made[key] = next((entry[name] for name in _VALUE_NAMES if name in entry), None)
    return made


@_value("bsearch/1")
def _bsearch(value: Any, target: Any, budget: Budget) -> int:
    low, high = 0, len(_list(value, "searched"))
    while low < high:
        middle = (low + high) // 2
        order = data.compare(value[middle], target, budget)
        if order == 0:
            return middle
        low, high = (middle + 1, high) if order < 0 else (low, middle)
    return -1 - low


# ---- texts


@_value("ascii_downcase/0")
def _ascii_downcase(value: Any, budget: Budget) -> str:
    text = _string(value, "cannot be lower-cased")
    return "".join(c.lower() if c.isascii() else c for c in text)


@_value("ascii_upcase/0")
def _ascii_upcase(value: Any, budget: Budget) -> str:
    text = _string(value, "cannot be upper-cased")
    return "".join(c.upper() if c.isascii() else c for c in text)


@_value("startswith/1")
def _startswith(value: Any, start: Any, budget: Budget) -> bool:
    both = isinstance(value, str) and isinstance(start, str)
    _check(both, "startswith() requires string inputs")
    return bool(value.startswith(start))


@_value("endswith/1")
def _endswith(value: Any, end: Any, budget: Budget) -> bool:
    both = isinstance(value, str) and isinstance(end, str)
    _check(both, "endswith() requires string inputs")
    return bool(value.endswith(end))


@_value("ltrimstr/1")
def _ltrimstr(value: Any, start: Any, budget: Budget) -> Any:
    both = isinstance(value, str) and isinstance(start, str)
    return value.removeprefix(start) if both else value


@_value("rtrimstr/1")
def _rtrimstr(value: Any, end: Any, budget: Budget) -> Any:
    both = isinstance(value, str) and isinstance(end, str)
    return value.removesuffix(end) if both else value


@_value("explode/0")
def _explode(value: Any, budget: Budget) -> list[int]:
    text = _string(value, "cannot be exploded")
    budget.allow_elements(len(text))
    return list(map(ord, text))


@_value("implode/0")
def _implode(value: Any, budget: Budget) -> str:
    items = _list(value, "imploded")
    _check(all(isinstance(item, int) for item in items), "Unicode codepoint must be numeric")
    try:
        return "".join(map(chr, items))
    except (ValueError, OverflowError) as error:
        raise JqError("this is no Unicode codepoint") from error


@_value("split/1")
def _split(value: Any, separator: Any, budget: Budget) -> list[str]:
    both = isinstance(value, str) and isinstance(separator, str)
    _check(both, "split input and separator must be strings")
    return data.split(value, separator)


@_value("join/1")
def _join(value: Any, separator: Any, budget: Budget) -> str:
    items = list(value.values()) if isinstance(value, dict) else _list(value, "joined")
    if not items:
        return ""
    text = _string(separator, "cannot separate strings") if len(items) > 1 else str(separator)
    parts = []
    for item in items:
        if isinstance(item, dict | list):
            raise JqError(f"{describe(separator)} and {describe(item)} cannot be added")
        parts.append("" if item is None else data.to_text(item, budget))
    budget.allow_text(sum(map(len, parts)) + len(text) * len(parts))
    return text.join(parts)


@_value("indices/1")
def _indices(value: Any, sought: Any, budget: Budget) -> Any:
    if value is None:
        return None
    if isinstance(value, str) and isinstance(sought, str):
        return _text_indices(value, sought)
    if isinstance(value, list):
        budget.spend(len(value))
        if isinstance(sought, list):
            return get(value, sought)
        return [i for i, item in enumerate(value) if data.equal(item, sought, budget)]
    raise JqError(f"Cannot determine indices in {type_name(value)}")


def _text_indices(text: str, sought: str) -> list[int] | None:
    if not sought:
        return None
    found, start = [], text.find(sought)
    while start >= 0:
        found.append(start)
        start = text.find(sought, start + 1)
    return found


@_value("index/1")
def _index(value: Any, sought: Any, budget: Budget) -> Any:
    found = _indices(value, sought, budget)
    return found[0] if found else None


@_value("rindex/1")
def _rindex(value: Any, sought: Any, budget: Budget) -> Any:
    found = _indices(value, sought, budget)
    return found[-1] if found else None


# ---- regular expressions


def _flags(flags: Any) -> tuple[bool, str]:
    if flags is None:
        return False, ""
    text = _string(flags, "is not a string")
    for letter in text:
        _check(letter in "gimnpslx", f"{text} is not a valid modifier string")
    return "g" in text, text


def _search(value: Any, pattern: Any, flags: Any, budget: Budget) -> list[Any]:
    import regex

    text = _string(value, "cannot be matched, as it is not a string")
    source = _string(pattern, "cannot be matched, as it is not a string")
    everywhere, letters = _flags(flags)
    options = regex.VERSION0
    options |= regex.IGNORECASE if "i" in letters else 0
    options |= regex.VERBOSE if "x" in letters else 0
    options |= regex.DOTALL if set(letters) & set("sp") else 0
    options |= regex.MULTILINE
    try:
        compiled = regex.compile(source, options)
        seconds = budget.limits.pattern_time.total_seconds()
        found = []
        for match in compiled.finditer(text, timeout=seconds):
            if not ("n" in letters and not match.group()):
                found.append(match)
            if not everywhere:
                break
            budget.spend(3)
        return found
    except TimeoutError as error:
        raise ExpressionError(f"jq: the regular expression {source!r} takes too long") from error
    except (regex.error, ValueError) as error:
        raise JqError(f"{source} (at offset 0) is not a valid regex: {error}") from error


def _match_object(match: Any) -> dict[str, Any]:
    names = {number: name for name, number in match.re.groupindex.items()}
    captures = [
        {
            "offset": match.start(number) if match.group(number) is not None else -1,
            "length": len(match.group(number) or ""),
            "string": match.group(number),
            "name": names.get(number),
        }
        for number in range(1, match.re.groups + 1)
    ]
    return {
        "offset": match.start(),
        "length": len(match.group()),
        "string": match.group(),
        "captures": captures,
    }


def _arguments(pattern: Any, flags: Any) -> tuple[Any, Any]:
    if isinstance(pattern, list):
        return (pattern + [None, None])[0], (pattern + [None, None])[1]
    return pattern, flags


def _combinations(value: Any, arguments: list[Closure]) -> Iterator[tuple[Any, Any]]:
    for pattern in arguments[0].values(value):
        for flags in arguments[1].values(value) if len(arguments) > 1 else (None,):
            yield _arguments(pattern, flags)


def _regex(name: str) -> Callable[[Callable[[list[Any]], Iterator[Any]]], None]:
    def register(code: Callable[[list[Any]], Iterator[Any]]) -> None:
        def run(
            env: Environment, path: Path, value: Any, arguments: list[Closure]
        ) -> Iterator[Pair]:
            for pattern, flags in _combinations(value, arguments):
                for result in code(_search(value, pattern, flags, env.budget)):
                    yield None, result

        _TABLE[f"{name}/1"] = _TABLE[f"{name}/2"] = run

    return register


@_regex("test")
def _test(matches: list[Any]) -> Iterator[Any]:
    yield bool(matches)


@_regex("match")
def _match(matches: list[Any]) -> Iterator[Any]:
    yield from map(_match_object, matches)


@_regex("capture")
def _capture(matches: list[Any]) -> Iterator[Any]:
    for match in matches:
        yield dict(match.groupdict())


@_closures("scan/1")
def _scan(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for pattern, flags in _combinations(value, arguments):
        for match in _search(value, pattern, f"g{flags or ''}", env.budget):
            yield None, list(match.groups()) if match.re.groups else match.group()


@_value("split/2")
def _split_by(value: Any, pattern: Any, flags: Any, budget: Budget) -> list[str]:
    return _pieces(value, pattern, flags, budget)


@_closures("splits/1")
def _splits(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for pattern, flags in _combinations(value, arguments):
        for piece in _pieces(value, pattern, flags, env.budget):
            yield None, piece


_TABLE["splits/2"] = _splits


def _pieces(value: Any, pattern: Any, flags: Any, budget: Budget) -> list[str]:
    begin, pieces = 0, []
    for match in _search(value, pattern, f"g{flags or ''}", budget):
        pieces.append(value[begin : match.start()])
        begin = match.end()
    return [*pieces, value[begin:]]


def _substitute(everywhere: bool) -> Builtin:
    def run(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
        given = arguments[2].values(value) if len(arguments) > 2 else iter((None,))
        for flags in given:
            for pattern in arguments[0].values(value):
                letters = f"{flags or ''}{'g' if everywhere else ''}"
                matches = _search(value, pattern, letters, env.budget)
                for text in _replaced(env, value, matches, arguments[1]):
                    yield None, text

    return run


def _replaced(
    env: Environment, value: str, matches: list[Any], replacement: Closure
) -> Iterator[str]:
    choices = [list(replacement.values(dict(match.groupdict()))) for match in matches]
    for chosen in product(*choices):
        pieces: list[str] = []
        begin = 0
        for match, new in zip(matches, chosen, strict=True):
            env.budget.spend()
            pieces += (value[begin : match.start()], _string(new, "cannot be added to a string"))
            begin = match.end()
        pieces.append(value[begin:])
        env.budget.allow_text(sum(map(len, pieces)))
        yield "".join(pieces)


for _arity in (2, 3):
    _TABLE[f"sub/{_arity}"] = _substitute(everywhere=False)
    _TABLE[f"gsub/{_arity}"] = _substitute(everywhere=True)


# ---- numbers


_SMALLEST_NORMAL = 2.2250738585072014e-308


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JqError(f"{describe(value)} number required")
    return value


def _mathematics(name: str, function: Callable[..., Any], arity: int = 0) -> None:
    def code(value: Any, *rest: Any) -> Any:
        arguments = rest[:-1] if arity else (value,)
        try:
            result = float(function(*map(_number, arguments)))
            return data.normal(result) if arity else result
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    _value(f"{name}/{arity}")(code)


def _log(number: float) -> float:
    return -math.inf if number == 0 else math.log(number)


def _round(number: float) -> float:
    return math.copysign(math.floor(abs(number) + 0.5), number) if math.isfinite(number) else number


for _name, _function in {
    "floor": lambda n: math.floor(n) if math.isfinite(n) else n,
    "ceil": lambda n: math.ceil(n) if math.isfinite(n) else n,
    "trunc": lambda n: math.trunc(n) if math.isfinite(n) else n,
    "round": _round,
    "sqrt": math.sqrt,
    "fabs": abs,
    "log": _log,
    "log2": lambda n: -math.inf if n == 0 else math.log2(n),
    "log10": lambda n: -math.inf if n == 0 else math.log10(n),
    "exp": math.exp,
    "exp2": lambda n: math.pow(2, n),
    "exp10": lambda n: math.pow(10, n),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "cbrt": math.cbrt,
    "expm1": math.expm1,
    "log1p": math.log1p,
}.items():
    _mathematics(_name, _function)
_mathematics("pow", lambda base, exponent: math.pow(base, exponent), 2)
_mathematics("atan2", math.atan2, 2)
_mathematics("fmod", math.fmod, 2)


@_value("nan/0")
def _nan(value: Any, budget: Budget) -> float:
    return math.nan


@_value("infinite/0")
def _infinite(value: Any, budget: Budget) -> float:
    return math.inf


@_value("isnan/0")
def _isnan(value: Any, budget: Budget) -> bool:
    return isinstance(value, float) and value != value


@_value("isinfinite/0")
def _isinfinite(value: Any, budget: Budget) -> bool:
    return isinstance(value, float) and math.isinf(value)


@_value("isnormal/0")
def _isnormal(value: Any, budget: Budget) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) >= _SMALLEST_NORMAL


# ---- formats


def formatter(name: str) -> Callable[[Any, Budget], str]:
    """The function behind `@name`.

    Raises:
        ExpressionError: there is no such format.
    """
    if name not in _FORMATS:
        raise ExpressionError(f"jq: {name[1:]} is not a valid format")
    return _FORMATS[name]


def _sh(value: Any, budget: Budget) -> str:
    items = value if isinstance(value, list) else [value]
    return " ".join(_sh_word(item, budget) for item in items)


def _sh_word(value: Any, budget: Budget) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "'\\''") + "'"
    if isinstance(value, list | dict):
        raise JqError(f"{describe(value)} can not be escaped for shell")
    return data.to_text(value, budget)


def _row(value: Any, kind: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{describe(value)} cannot be {kind}-formatted, only an array can be")
    for item in value:
        if isinstance(item, list | dict):
            raise JqError(f"{describe(item)} is not valid in a {kind} row")
    return value


def _csv(value: Any, budget: Budget) -> str:
    return ",".join(
        '"' + item.replace('"', '""') + '"'
        if isinstance(item, str)
        else ("" if item is None else data.to_text(item, budget))
        for item in _row(value, "csv")
    )


_TSV = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _tsv(value: Any, budget: Budget) -> str:
    return "\t".join(
        item.translate(_TSV)
        if isinstance(item, str)
        else ("" if item is None else data.to_text(item, budget))
        for item in _row(value, "tsv")
    )


def _html(value: Any, budget: Budget) -> str:
    return html.escape(data.to_text(value, budget)).replace("&#x27;", "&apos;")


def _uri(value: Any, budget: Budget) -> str:
    return quote(data.to_text(value, budget), safe="-_.~", errors="replace")


def _base64(value: Any, budget: Budget) -> str:
    return base64.b64encode(data.to_text(value, budget).encode(errors="replace")).decode()


def _base64d(value: Any, budget: Budget) -> str:
    text = data.to_text(value, budget).rstrip("=")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise JqError(f"{describe(value)} is not valid base64 data") from error
    return decoded.decode(errors="replace")


_FORMATS: dict[str, Callable[[Any, Budget], str]] = {
    "@text": data.to_text,
    "@json": data.write_json,
    "@csv": _csv,
    "@tsv": _tsv,
    "@html": _html,
    "@uri": _uri,
    "@sh": _sh,
    "@base64": _base64,
    "@base64d": _base64d,
}


# ---- written in jq

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
def nth($n; f): if $n < 0 then error("Out of bounds negative array index") else last(limit($n + 1; f)) end;
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
def walk(f): . as $in | if type == "object" then reduce keys_unsorted[] as $k ({}; . + {($k): ($in[$k] | walk(f))}) | f elif type == "array" then map(walk(f)) | f else f end;
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end;
def combinations(n): . as $dot | [range(n)] | map($dot) | combinations;
def ascii: [.] | implode;
def finites: numbers | select(isinfinite or isnan | not);
def normals: select(isnormal);
def tostream: path(def r: (.[]?|r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f): {x: null, e: false} as $init | foreach f as $i ($init; if .e then $init else . end | if $i | length == 2 then setpath(["e"]; $i[0] | length == 0) | setpath(["x"] + $i[0]; $i[1]) else setpath(["e"]; $i[0] | length == 1) end; if .e then .x else empty end);
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
    from .program import invoke

    entry = _prelude().get(key)
    if entry is None:
        return None
    parameters, body = entry

    def run(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
        root = Environment(None, None, None, env.budget)
        yield from invoke(Function(parameters, body, root), arguments, path, value)

    _TABLE[key] = run
    return run
