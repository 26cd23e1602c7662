"""The one table of filters, functions and tests: names, signatures, documentation, code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from .errors import ExpressionError, did_you_mean

Kind = Literal["filter", "function", "test"]
Code = TypeVar("Code", bound=Callable[..., Any])

_SIGNATURE = re.compile(r"(\w+)(?:\((.*)\))?")
_PARAMETER = re.compile(r"(\w+)(\*\??|…)?(?:=(.*))?")


@dataclass(frozen=True)
class Parameter:
    """One argument; a required one must be given, and not be null unless it is nullable."""

    name: str
    required: bool = False
    nullable: bool = False
    variadic: bool = False
    default: Any = None

    def __str__(self) -> str:
        if self.required:
            return f"{self.name}*"
        if self.variadic:
            return f"{self.name}…"
        if isinstance(self.default, bool):
            return f"{self.name}={str(self.default).lower()}"
        return self.name if self.default is None else f"{self.name}={self.default!r}"


@dataclass(frozen=True)
class Example:
    """A template, what it renders to, and the variables that it needs."""

    template: str
    result: str
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Extension:
    """A filter, function or test as templates see it."""

    kind: Kind
    name: str
    parameters: tuple[Parameter, ...]
    code: Callable[..., Any]
    takes_frame: bool
    takes_null: bool
    summary: str
    examples: tuple[Example, ...]
    since: str | None

    @property
    def signature(self) -> str:
        """The name with its arguments; `*` marks required ones."""
        arguments = ", ".join(str(parameter) for parameter in self.parameters)
        if self.kind == "function":
            return f"{self.name}({arguments})"
        return f"{self.name}({arguments})" if arguments else self.name

    @property
    def is_variadic(self) -> bool:
        """Whether it takes any number of unnamed arguments."""
        return bool(self.parameters) and self.parameters[-1].variadic

    def place(self, positional: Sequence[Any], named: dict[str, Any]) -> list[Any]:
        """The arguments in the order of the parameters, `Default` where one is not given.

        Raises:
            ExpressionError: too many, unknown, or a required one is missing.
        """
        if self.is_variadic:
            return list(positional) + list(named.values())
        if not self.parameters:
            return []
        names = [parameter.name for parameter in self.parameters]
        if len(positional) > len(names):
            raise ExpressionError(f"{self.signature} takes at most {len(names)} arguments")
        for name in named:
            if name not in names:
                hint = did_you_mean(name, names)
                raise ExpressionError(f"{self.signature} has no argument {name!r}{hint}")
        given = dict(zip(names, positional, strict=False)) | named
        return [self._argument(parameter, given) for parameter in self.parameters]

    def _argument(self, parameter: Parameter, given: dict[str, Any]) -> Any:
        if parameter.name in given:
            return given[parameter.name]
        if parameter.required:
            raise self.missing(parameter)
        return Default(parameter.default)

    def missing(self, parameter: Parameter) -> ExpressionError:
        """The error about a required argument that is not there, or null."""
        return ExpressionError(f"{self.signature} needs the argument {parameter.name!r}")


@dataclass(frozen=True)
class Default:
    """Stands for an argument that was not given."""

    value: Any


class Table:
    """The extensions of one kind by name."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._entries: dict[str, Extension] = {}

    def register(
        self,
        signature: str,
        *examples: tuple[str, str] | tuple[str, str, dict[str, Any]],
        takes_null: bool = False,
        since: str | None = None,
        alias_of: str | None = None,
    ) -> Callable[[Code], Code]:
        """Register the decorated function.

        `signature` is `name(required*, or_null*?, other=default, any…)`. The function gets the
        frame first if its first parameter is called `frame`; then, for filters and tests, the
        value on the left; then the arguments. Its docstring is the documentation. A filter is not
        called for null unless it takes null.
        """
        name, parameters = _read_signature(signature)

        def decorate(code: Code) -> Code:
            if name in self._entries:
                raise ValueError(f"there are two {self.kind}s {name!r}")
            variables = code.__code__.co_varnames
            summary = f"The old name of `{alias_of}`." if alias_of else code.__doc__ or ""
            self._entries[name] = Extension(
                kind=self.kind,
                name=name,
                parameters=parameters,
                code=code,
                takes_frame=bool(variables) and variables[0] == "frame",
                takes_null=takes_null,
                summary=summary.strip(),
                examples=tuple(Example(*example) for example in examples),
                since=since,
            )
            return code

        return decorate

    def find(self, name: str) -> Extension | None:
        """The extension of that name, if there is one."""
        return self._entries.get(name)

    def unknown(self, name: str) -> ExpressionError:
        """The error about a name that is not registered."""
        return ExpressionError(f"unknown {self.kind} {name!r}{did_you_mean(name, self._entries)}")

    def __iter__(self) -> Iterator[Extension]:
        return iter(sorted(self._entries.values(), key=lambda extension: extension.name.lower()))

    def names(self) -> list[str]:
        """All names, sorted."""
        return [extension.name for extension in self]


FILTERS = Table("filter")
FUNCTIONS = Table("function")
TESTS = Table("test")


def _read_signature(signature: str) -> tuple[str, tuple[Parameter, ...]]:
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise ValueError(f"no signature: {signature}")
    name, arguments = match.groups()
    parts = [part.strip() for part in (arguments or "").split(",") if part.strip()]
    return name, tuple(_read_parameter(part) for part in parts)


def _read_parameter(text: str) -> Parameter:
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise ValueError(f"no parameter: {text}")
    name, mark, default = match.groups()
    return Parameter(
        name,
        required=mark in ("*", "*?"),
        nullable=mark == "*?",
        variadic=mark == "…",
        default=_read_default(default),
    )


def _read_default(text: str | None) -> Any:
    if text is None:
        return None
    if text in ("true", "false"):
        return text == "true"
    return text[1:-1] if text[0] == "'" else int(text)
