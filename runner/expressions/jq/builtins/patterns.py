"""Builtins with regular expressions, which are timed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.errors import ExpressionError
from runner.expressions.jq.data import JqError
from runner.expressions.jq.environment import Closure, Environment, Pair, Path
from runner.javapattern import check_size

from .registering import TABLE, Builtin, of_closures, of_values, require, string_of


def _flags(flags: Any) -> tuple[bool, str]:
    if flags is None:
        return False, ""
    text = string_of(flags, "is not a string")
    for letter in text:
        require(letter in "gimnpslx", f"{text} is not a valid modifier string")
    return "g" in text, text


def _search(value: Any, pattern: Any, flags: Any, budget: Budget) -> list[Any]:
    import regex

    text = string_of(value, "cannot be matched, as it is not a string")
    source = string_of(pattern, "cannot be matched, as it is not a string")
    everywhere, letters = _flags(flags)
    options = regex.VERSION0
    options |= regex.IGNORECASE if "i" in letters else 0
    options |= regex.VERBOSE if "x" in letters else 0
    options |= regex.DOTALL if set(letters) & set("sp") else 0
    options |= regex.MULTILINE
    try:
        check_size(f"(?x){source}" if "x" in letters else source, nested=False)
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
        first, second, *_ = [*pattern, None, None]
        return first, second
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

        TABLE[f"{name}/1"] = TABLE[f"{name}/2"] = run

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


@of_closures("scan/1")
def _scan(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for pattern, flags in _combinations(value, arguments):
        for match in _search(value, pattern, f"g{flags or ''}", env.budget):
            yield None, list(match.groups()) if match.re.groups else match.group()


@of_values("split/2")
def _split_by(value: Any, pattern: Any, flags: Any, budget: Budget) -> list[str]:
    return _pieces(value, pattern, flags, budget)


@of_closures("splits/1")
def _splits(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for pattern, flags in _combinations(value, arguments):
        for piece in _pieces(value, pattern, flags, env.budget):
            yield None, piece


TABLE["splits/2"] = _splits


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
            pieces += (value[begin : match.start()], string_of(new, "cannot be added to a string"))
            begin = match.end()
        pieces.append(value[begin:])
        env.budget.allow_text(sum(map(len, pieces)))
        yield "".join(pieces)


for _arity in (2, 3):
    TABLE[f"sub/{_arity}"] = _substitute(everywhere=False)
    TABLE[f"gsub/{_arity}"] = _substitute(everywhere=True)
