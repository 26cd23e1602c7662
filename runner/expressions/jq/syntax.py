"""The grammar of jq: programs as nested tuples, the first item of each being its kind."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from runner.expressions.errors import ExpressionError

Ast = tuple[Any, ...]

_TOKEN = re.compile(
    r"""
    (?P<space>(?:\s|\#[^\n]*)+)
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<format>@[a-zA-Z0-9_]+)
    | (?P<field>\.[a-zA-Z_][a-zA-Z0-9_]*)
    | (?P<variable>\$(?:__loc__|[a-zA-Z_][a-zA-Z0-9_:]*))
    | (?P<name>[a-zA-Z_][a-zA-Z0-9_]*(?:::[a-zA-Z_][a-zA-Z0-9_]*)*)
    | (?P<operator>//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|\.\.|[.\[\]{}()|,:;=<>+\-*/%?$])
    | (?P<quote>")
    """,
    re.VERBOSE,
)
_STRING_TEXT = re.compile(r'[^"\\]+')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_ASSIGNMENTS = ("=", "|=", "+=", "-=", "*=", "/=", "%=", "//=")
_KEYWORDS = frozenset(
    {"def", "if", "then", "elif", "else", "end", "as", "reduce", "foreach", "try", "catch"}
    | {"label", "import", "include", "and", "or"}
)
_CONSTANTS = {"null": None, "true": True, "false": False}
MAX_NESTING = 100
MAX_PROGRAM = 50_000


class Token(NamedTuple):
    """A piece of a program; a string's value is the list of its parts."""

    kind: str
    value: Any
    offset: int


def parse_program(text: str) -> Ast:
    """The program as nested tuples.

    Raises:
        ExpressionError: it is no jq program.
    """
    if len(text) > MAX_PROGRAM:
        raise ExpressionError(f"a jq program is longer than {MAX_PROGRAM} characters")
    parser = _Parser(_Lexer(text).tokens(), text)
    program = parser.pipe()
    parser.end()
    return program


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.index = 0
        self.depth = 0

    def tokens(self) -> list[Token]:
        found = self.until(None)
        found.append(Token("end", "", len(self.text)))
        return found

    def until(self, closing: str | None) -> list[Token]:
        """The tokens up to the parenthesis that closes an interpolation, or to the end."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ExpressionError("jq: strings are nested too deeply")
        found: list[Token] = []
        parentheses = 0
        while self.index < len(self.text):
            match = _TOKEN.match(self.text, self.index)
            if match is None or match.lastgroup is None:
                raise self.wrong(f"unexpected {self.text[self.index]!r}")
            offset = self.index
            self.index = match.end()
            kind, value = match.lastgroup, match.group()
            if kind == "space":
                continue
            if kind == "quote":
                found.append(Token("string", self.string(), offset))
                continue
            if value == ")" and closing and not parentheses:
                self.depth -= 1
                return found
            parentheses += {"(": 1, ")": -1}.get(value, 0)
            found.append(Token(kind, value, offset))
        if closing:
            raise self.wrong("a string is not closed")
        self.depth -= 1
        return found

    def string(self) -> list[Any]:
        """The parts of a string: texts and the programs in `\\( )`."""
        parts: list[Any] = [""]
        while True:
            if match := _STRING_TEXT.match(self.text, self.index):
                parts[-1] += match.group()
                self.index = match.end()
            following = self.text[self.index : self.index + 2]
            if not following:
                raise self.wrong("a string is not closed")
            self.index += 1
            if following[0] == '"':
                return parts
            self.index += 1
            if following == "\\(":
                inner = self.until(")")
                inner.append(Token("end", "", self.index))
                parts += [_Parser(inner, self.text).whole(), ""]
            else:
                parts[-1] += self.escape(following[1:])

    def escape(self, letter: str) -> str:
        if letter in _ESCAPES and letter:
            return _ESCAPES[letter]
        digits = self.text[self.index : self.index + 4]
        if letter != "u" or not re.fullmatch("[0-9a-fA-F]{4}", digits):
            raise self.wrong("an escape in a string is wrong")
        self.index += 4
        code = int(digits, 16)
        if 0xD800 <= code < 0xDC00:
            match = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self.text, self.index)
            if match:
                self.index = match.end()
                code = 0x10000 + ((code - 0xD800) << 10) + int(match.group(1), 16) - 0xDC00
        return chr(code)

    def wrong(self, reason: str) -> ExpressionError:
        return ExpressionError(f"jq: {reason} at character {self.index + 1}")


class _Parser:
    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.index = 0
        self.depth = 0

    # ---- the stream

    @property
    def current(self) -> Token:
        return self.tokens[self.index]

    def is_at(self, *values: str) -> bool:
        token = self.current
        return token.kind in ("operator", "name") and token.value in values

    def skip(self, value: str) -> bool:
        if self.is_at(value):
            self.index += 1
            return True
        return False

    def expect(self, value: str) -> None:
        if not self.skip(value):
            raise self.wrong(f"expected {value!r}")

    def take(self, kind: str) -> Any:
        if self.current.kind != kind:
            raise self.wrong(f"expected a {kind}")
        self.index += 1
        return self.tokens[self.index - 1].value

    def end(self) -> None:
        if self.current.kind != "end":
            raise self.wrong("unexpected text")

    def whole(self) -> Ast:
        program = self.pipe()
        self.end()
        return program

    def wrong(self, reason: str) -> ExpressionError:
        token = self.current
        found = repr(token.value) if token.kind != "end" else "the end"
        return ExpressionError(f"jq: {reason} at character {token.offset + 1}, found {found}")

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ExpressionError("jq: the program is nested too deeply")

    # ---- operators, from loosest to tightest

    def pipe(self) -> Ast:
        self.deeper()
        if self.is_at("import", "include"):
            raise self.wrong("modules are not offered")
        if self.is_at("def"):
            result: Ast = ("def", self.definition(), self.pipe())
        elif self.is_at("label"):
            self.index += 1
            name = self.take("variable")
            self.expect("|")
            result = ("label", name, self.pipe())
        else:
            left = self.comma()
            result = ("pipe", left, self.pipe()) if self.skip("|") else left
        self.depth -= 1
        return result

    def definition(self) -> Ast:
        self.expect("def")
        name = self.take("name")
        parameters: list[str] = []
        if self.skip("("):
            parameters.append(self.parameter())
            while self.skip(";"):
                parameters.append(self.parameter())
            self.expect(")")
        self.expect(":")
        body = self.pipe()
        self.expect(";")
        return (name, tuple(parameters), body)

    def parameter(self) -> str:
        kind = "variable" if self.current.kind == "variable" else "name"
        return str(self.take(kind))

    def comma(self) -> Ast:
        left = self.alternative()
        while self.skip(","):
            left = ("comma", left, self.alternative())
        return left

    def alternative(self) -> Ast:
        left = self.assignment()
        if self.skip("//"):
            self.deeper()
            left = ("alternative", left, self.alternative())
            self.depth -= 1
        return left

    def assignment(self) -> Ast:
        left = self.disjunction()
        for operator in _ASSIGNMENTS:
            if self.skip(operator):
                return ("assign", operator, left, self.alternative())
        return left

    def disjunction(self) -> Ast:
        left = self.conjunction()
        while self.skip("or"):
            left = ("or", left, self.conjunction())
        return left

    def conjunction(self) -> Ast:
        left = self.comparison()
        while self.skip("and"):
            left = ("and", left, self.comparison())
        return left

    def comparison(self) -> Ast:
        left = self.sum()
        for operator in _COMPARISONS:
            if self.skip(operator):
                return ("binary", operator, left, self.sum())
        return left

    def sum(self) -> Ast:
        left = self.product()
        while self.is_at("+", "-"):
            operator = self.take("operator")
            left = ("binary", operator, left, self.product())
        return left

    def product(self) -> Ast:
        left = self.postfix()
        while self.is_at("*", "/", "%"):
            operator = self.take("operator")
            left = ("binary", operator, left, self.postfix())
        return left

    # ---- terms

    def postfix(self) -> Ast:
        if self.skip("-"):
            self.deeper()
            operand = self.postfix()
            self.depth -= 1
            return ("negate", operand)
        term = self.suffixed(self.term())
        return self.binding(term) if self.is_at("as") else term

    def suffixed(self, term: Ast) -> Ast:
        """The term with what follows it: `.a`, `."a"`, `[…]`, `?`."""
        following: Ast | None = term
        while following is not None:
            term = following
            following = self.suffix(term)
        return term

    def suffix(self, term: Ast) -> Ast | None:
        if self.current.kind == "field":
            return ("index", term, ("literal", self.take("field")[1:]))
        if self.is_at(".") and self.tokens[self.index + 1].kind == "string":
            self.index += 1
            return ("index", term, self.text_of("string"))
        if self.is_at(".") and self.tokens[self.index + 1].value == "[":
            self.index += 1
        if self.is_at("["):
            return self.subscript(term)
        return ("try", term, None) if self.skip("?") else None

    def binding(self, source: Ast) -> Ast:
        """`term as $x | body` reaches as far as a pipe does."""
        self.index += 1
        pattern = self.pattern()
        self.expect("|")
        return ("as", source, pattern, self.pipe())

    def subscript(self, term: Ast) -> Ast:
        self.expect("[")
        if self.skip("]"):
            return ("iterate", term)
        start = None if self.is_at(":") else self.pipe()
        if self.skip(":"):
            end = None if start and self.is_at("]") else self.pipe()
            self.expect("]")
            return ("slice", term, start, end)
        self.expect("]")
        return ("index", term, start)

    def term(self) -> Ast:
        token = self.current
        match token.kind:
            case "number":
                self.index += 1
                return ("literal", _number(token.value))
            case "string" | "format":
                return self.text_of(token.kind)
            case "field":
                self.index += 1
                return ("index", ("identity",), ("literal", token.value[1:]))
            case "variable":
                self.index += 1
                return ("variable", token.value)
            case "name":
                return self.named_term(token.value)
            case "operator":
                return self.operator_term(token.value)
        raise self.wrong("expected a term")

    def operator_term(self, operator: str) -> Ast:
        self.index += 1
        if operator == ".":
            if self.current.kind == "string":
                return ("index", ("identity",), self.text_of("string"))
            return ("identity",)
        if operator == "..":
            return ("call", "..", ())
        if operator == "(":
            inner = self.pipe()
            self.expect(")")
            return inner
        if operator == "[":
            if self.skip("]"):
                return ("literal", [])
            inner = self.pipe()
            self.expect("]")
            return ("array", inner)
        if operator == "{":
            return self.object()
        self.index -= 1
        raise self.wrong("expected a term")

    def named_term(self, name: str) -> Ast:
        if name == "if":
            return self.condition()
        if name == "try":
            self.index += 1
            body = self.postfix_only()
            handler = self.postfix_only() if self.skip("catch") else None
            return ("try", body, handler)
        if name in ("reduce", "foreach"):
            return self.fold(name)
        if name == "def":
            return ("def", self.definition(), self.pipe())
        if name == "label":
            return self.pipe()
        if name in _KEYWORDS:
            raise self.wrong("expected a term")
        self.index += 1
        if name in _CONSTANTS and not self.is_at("("):
            return ("literal", _CONSTANTS[name])
        if name == "break":
            return ("break", self.take("variable"))
        arguments: list[Ast] = []
        if self.skip("("):
            arguments.append(self.pipe())
            while self.skip(";"):
                arguments.append(self.pipe())
            self.expect(")")
        return ("call", name, tuple(arguments))

    def postfix_only(self) -> Ast:
        self.deeper()
        term = self.postfix()
        self.depth -= 1
        return term

    def condition(self) -> Ast:
        self.index += 1
        test = self.pipe()
        self.expect("then")
        chosen = self.pipe()
        if self.is_at("elif"):
            self.deeper()
            otherwise = self.condition()
            self.depth -= 1
            return ("if", test, chosen, otherwise)
        self.expect("else")
        otherwise = self.pipe()
        self.expect("end")
        return ("if", test, chosen, otherwise)

    def fold(self, kind: str) -> Ast:
        self.index += 1
        source = self.suffixed(self.term())
        self.expect("as")
        pattern = self.pattern()
        self.expect("(")
        start = self.pipe()
        self.expect(";")
        update = self.pipe()
        extract = self.pipe() if kind == "foreach" and self.skip(";") else None
        self.expect(")")
        return (kind, source, pattern, start, update, extract)

    def text_of(self, kind: str) -> Ast:
        name = self.take("format") if kind == "format" else None
        if name is not None and self.current.kind != "string":
            return ("format", name)
        parts = self.take("string")
        if len(parts) == 1:
            return ("literal", parts[0])
        return ("text", name, tuple(parts))

    def object(self) -> Ast:
        entries: list[tuple[Ast, Ast]] = []
        while not self.skip("}"):
            if entries:
                self.expect(",")
            entries.append(self.entry())
        return ("object", tuple(entries))

    def entry(self) -> tuple[Ast, Ast]:
        token = self.current
        key: Ast
        if token.kind == "variable":
            self.index += 1
            return ("literal", token.value[1:]), ("variable", token.value)
        if token.kind in ("string", "format"):
            key = self.text_of(token.kind)
        elif token.kind in ("name", "number"):
            self.index += 1
            key = ("literal", token.value)
        elif self.skip("("):
            key = self.pipe()
            self.expect(")")
            self.expect(":")
            return key, self.entry_value()
        else:
            raise self.wrong("expected a key")
        if self.skip(":"):
            return key, self.entry_value()
        return key, ("index", ("identity",), key)

    def entry_value(self) -> Ast:
        left = self.alternative()
        while self.skip("|"):
            left = ("pipe", left, self.alternative())
        return left

    def pattern(self) -> Ast:
        self.deeper()
        if self.current.kind == "variable":
            found: Ast = ("variable", self.take("variable"))
        elif self.skip("["):
            items = [self.pattern()]
            while self.skip(","):
                items.append(self.pattern())
            self.expect("]")
            found = ("array", tuple(items))
        else:
            found = self.object_pattern()
        self.depth -= 1
        return found

    def object_pattern(self) -> Ast:
        self.expect("{")
        entries: list[tuple[Ast, str | None, Ast | None]] = []
        while not entries or self.skip(","):
            variable = None
            if self.current.kind == "variable":
                variable = self.take("variable")
                key: Ast = ("literal", variable[1:])
            elif self.current.kind == "string":
                key = self.text_of("string")
            elif self.skip("("):
                key = self.pipe()
                self.expect(")")
            else:
                key = ("literal", self.take("name"))
            inner = self.pattern() if self.skip(":") else None
            entries.append((key, variable, inner))
        self.expect("}")
        return ("object", tuple(entries))


def _number(text: str) -> Any:
    if text.isdigit() and len(text) < 20 and int(text) < 2**63:
        return int(text)
    return float(text)
