"""Parses a template into Jinja2 nodes, by Pebble's grammar and precedences.

Only nodes that say what they are for stand for themselves (names, literals, tags). Every operator
is a `Filter` node with a reserved name such as `$+`, because Jinja's own operator nodes mean
something else and would be folded by its optimizer. The `lineno` of a node is the *offset* of its
token; `Source.position` makes line and column of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from jinja2 import nodes

from . import tokens
from .errors import did_you_mean
from .tokens import Source, Token
from .values import Long

MAX_NESTING = 80
MAX_TOKENS = 50_000

UNARY = 500
FILTER = 100
BINARY = {
    "or": 10,
    "and": 15,
    "is": 20,
    "is not": 20,
    "contains": 20,
    "==": 30,
    "equals": 30,
    "!=": 30,
    ">": 30,
    "<": 30,
    ">=": 30,
    "<=": 30,
    "+": 40,
    "-": 40,
    "*": 60,
    "/": 60,
    "%": 60,
    "|": FILTER,
    "~": 110,
    "..": 120,
    "??": 120,
    "???": 120,
    "isIn": 120,
}
LITERALS = {
    "true": True,
    "TRUE": True,
    "false": False,
    "FALSE": False,
    "null": None,
    "NULL": None,
    "none": None,
    "NONE": None,
}
RESERVED = frozenset({"true", "false", "null", "none"})
TAGS = ("if", "for", "set", "macro", "block", "filter", "verbatim", "raw")


@dataclass(frozen=True)
class Parsed:
    """A template as nodes; macros and blocks are also found by their names."""

    source: Source
    body: list[nodes.Node]
    macros: dict[str, nodes.Macro]
    blocks: dict[str, nodes.Block]


def parse(text: str) -> Parsed:
    """The nodes of the template.

    Raises:
        ExpressionError: it is no template; the error says where.
    """
    source = Source(text)
    parser = _Parser(source)
    body = parser.body(())
    return Parsed(source, body, parser.macros, parser.blocks)


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = list(islice(tokens.tokenize(source), MAX_TOKENS + 1))
        if len(self.tokens) > MAX_TOKENS:
            raise source.error(f"a template has more than {MAX_TOKENS} parts", 0)
        self.index = 0
        self.current = self.tokens[0]
        self.macros: dict[str, nodes.Macro] = {}
        self.blocks: dict[str, nodes.Block] = {}
        self.depth = 0
        self._tags: dict[str, Callable[[Token], nodes.Node | None]] = {
            "if": self._if,
            "for": self._for,
            "set": self._set,
            "macro": self._macro,
            "block": self._block,
            "filter": self._filter_tag,
        }

    # ---- the stream

    def next(self) -> Token:
        token = self.current
        self.index += 1
        self.current = self.tokens[min(self.index, len(self.tokens) - 1)]
        return token

    def at(self, kind: str, value: str) -> bool:
        return self.current.kind == kind and self.current.value == value

    def skip(self, value: str) -> bool:
        """Take this punctuation if it is there."""
        if self.at(tokens.PUNCTUATION, value):
            self.next()
            return True
        return False

    def expect(self, kind: str, value: str | None = None) -> Token:
        if self.current.kind != kind or (value is not None and self.current.value != value):
            self.fail(f"expected {_name_of(kind, value)}, found {_found(self.current)}")
        return self.next()

    def fail(self, reason: str, token: Token | None = None) -> NoReturn:
        raise self.source.error(reason, (token or self.current).offset)

    # ---- texts, prints and tags

    def body(self, ends: tuple[str, ...], opening: Token | None = None) -> list[nodes.Node]:
        """What stands up to one of the end tags, whose name is then the current token."""
        self._deeper()
        found: list[nodes.Node] = []
        while self.current.kind != tokens.END:
            token = self.next()
            if token.kind == tokens.TEXT:
                found.append(nodes.TemplateData(token.value, lineno=token.offset))
            elif token.kind == tokens.PRINT_BEGIN:
                found.append(nodes.Output([self.expression()], lineno=token.offset))
                self.expect(tokens.PRINT_END)
            else:
                if self.current.kind == tokens.NAME and self.current.value in ends:
                    self.depth -= 1
                    return found
                node = self._tag()
                if node is not None:
                    found.append(node)
        if opening is not None:
            self.fail(f"{{% {opening.value} %}} is not closed by {{% {ends[-1]} %}}", opening)
        self.depth -= 1
        return found

    def _tag(self) -> nodes.Node | None:
        name = self.expect(tokens.NAME)
        parse = self._tags.get(name.value)
        if parse is None:
            if name.value.startswith("end") or name.value in ("else", "elseif"):
                self.fail(f"{{% {name.value} %}} closes nothing", name)
            self.fail(f"unknown tag {name.value!r}{did_you_mean(name.value, TAGS)}", name)
        return parse(name)

    def _end_tag(self, opening: Token, *ends: str) -> tuple[list[nodes.Node], str]:
        body = self.body(ends, opening)
        return body, self.next().value

    def _if(self, opening: Token) -> nodes.If:
        node = current = nodes.If(self.expression(), [], [], [], lineno=opening.offset)
        while True:
            self.expect(tokens.TAG_END)
            current.body, end = self._end_tag(opening, "elseif", "else", "endif")
            if end != "elseif":
                break
            current = nodes.If(self.expression(), [], [], [], lineno=self.current.offset)
            node.elif_.append(current)
        if end == "else":
            self.expect(tokens.TAG_END)
            node.else_, _ = self._end_tag(opening, "endif")
        self.expect(tokens.TAG_END)
        return node

    def _for(self, opening: Token) -> nodes.For:
        target = self._assignable()
        self.expect(tokens.NAME, "in")
        iterated = self.expression()
        self.expect(tokens.TAG_END)
        body, end = self._end_tag(opening, "else", "endfor")
        otherwise: list[nodes.Node] = []
        if end == "else":
            self.expect(tokens.TAG_END)
            otherwise, _ = self._end_tag(opening, "endfor")
        self.expect(tokens.TAG_END)
        return nodes.For(target, iterated, body, otherwise, None, False, lineno=opening.offset)

    def _set(self, opening: Token) -> nodes.Assign:
        target = self._assignable()
        self.expect(tokens.PUNCTUATION, "=")
        value = self.expression()
        self.expect(tokens.TAG_END)
        return nodes.Assign(target, value, lineno=opening.offset)

    def _macro(self, opening: Token) -> None:
        name = self.expect(tokens.NAME)
        if name.value in self.macros:
            self.fail(f"there are two macros {name.value!r}", name)
        arguments, defaults = self._parameters()
        self.expect(tokens.TAG_END)
        body, _ = self._end_tag(opening, "endmacro")
        self.expect(tokens.TAG_END)
        self.macros[name.value] = nodes.Macro(
            name.value, arguments, defaults, body, lineno=opening.offset
        )

    def _parameters(self) -> tuple[list[nodes.Name], list[nodes.Expr]]:
        arguments: list[nodes.Name] = []
        defaults: list[nodes.Expr] = []
        self.expect(tokens.PUNCTUATION, "(")
        while not self.skip(")"):
            if arguments:
                self.expect(tokens.PUNCTUATION, ",")
            argument = self._assignable()
            arguments.append(argument)
            has_default = self.skip("=")
            defaults.append(
                self.expression() if has_default else nodes.Const(None, lineno=argument.lineno)
            )
        return arguments, defaults

    def _block(self, opening: Token) -> nodes.Block:
        if self.current.kind not in (tokens.NAME, tokens.STRING):
            self.fail(f"expected the block's name, found {_found(self.current)}")
        name = self.next()
        self.expect(tokens.TAG_END)
        block = nodes.Block(name.value, [], False, False, lineno=opening.offset)
        self.blocks[name.value] = block
        block.body, _ = self._end_tag(opening, "endblock")
        if self.current.kind in (tokens.NAME, tokens.STRING):
            if self.current.value != name.value:
                self.fail(f"this ends the block {name.value!r}")
            self.next()
        self.expect(tokens.TAG_END)
        return block

    def _filter_tag(self, opening: Token) -> nodes.FilterBlock:
        chain: nodes.Expr | None = None
        while True:
            chain = self._filter(chain, self.current)
            if not self.at(tokens.OPERATOR, "|"):
                break
            self.next()
        self.expect(tokens.TAG_END)
        body, _ = self._end_tag(opening, "endfilter")
        self.expect(tokens.TAG_END)
        return nodes.FilterBlock(body, chain, lineno=opening.offset)

    def _assignable(self) -> nodes.Name:
        name = self.expect(tokens.NAME)
        if name.value in RESERVED:
            self.fail(f"{name.value!r} is a literal and cannot be assigned", name)
        return nodes.Name(name.value, "store", lineno=name.offset)

    # ---- expressions

    def expression(self) -> nodes.Expr:
        """A full expression: what a binary one may be, and the ternary after it."""
        self._deeper()
        condition = self._binary(0)
        if self.skip("?"):
            first = self.expression()
            self.expect(tokens.PUNCTUATION, ":")
            second = self.expression()
            condition = nodes.CondExpr(condition, first, second, lineno=condition.lineno)
        self.depth -= 1
        return condition

    def _binary(self, minimum: int) -> nodes.Expr:
        left = self._unary()
        while self.current.kind == tokens.OPERATOR:
            precedence = BINARY.get(self.current.value, -1)
            if precedence < minimum:
                break
            operator = self.next()
            match operator.value:
                case "|":
                    left = self._filter(left, self.current)
                case "is" | "is not":
                    left = self._test(left, operator)
                case _:
                    left = _operation(operator, left, self._binary(precedence + 1))
        return left

    def _unary(self) -> nodes.Expr:
        token = self.current
        if token.kind == tokens.OPERATOR and token.value in ("not", "+", "-"):
            self._deeper()
            self.next()
            operand = self._binary(UNARY)
            self.depth -= 1
            name = "$not" if token.value == "not" else f"$unary{token.value}"
            return nodes.Filter(operand, name, [], [], None, None, lineno=token.offset)
        return self._primary()

    def _primary(self) -> nodes.Expr:
        token = self.next()
        match token.kind, token.value:
            case tokens.PUNCTUATION, "(":
                inner = self.expression()
                self.expect(tokens.PUNCTUATION, ")")
                return self._postfix(inner)
            case tokens.PUNCTUATION, "[":
                return self._list(token)
            case tokens.PUNCTUATION, "{":
                return self._map(token)
            case tokens.NAME, name if name in LITERALS:
                return self._postfix(nodes.Const(LITERALS[name], lineno=token.offset))
            case tokens.NAME, name:
                return self._postfix(self._name(token))
            case tokens.INTEGER, digits:
                return self._postfix(nodes.Const(Long(digits), lineno=token.offset))
            case tokens.DECIMAL, digits:
                return self._postfix(nodes.Const(float(digits), lineno=token.offset))
            case tokens.STRING, text:
                return self._postfix(nodes.Const(text, lineno=token.offset))
            case tokens.INTERPOLATION_BEGIN, _:
                return self._postfix(self._interpolation(token))
        self.fail(f"expected an expression, found {_found(token)}", token)

    def _name(self, token: Token) -> nodes.Expr:
        name = nodes.Name(token.value, "load", lineno=token.offset)
        if not self.at(tokens.PUNCTUATION, "("):
            return name
        arguments, named = self._arguments()
        return nodes.Call(name, arguments, named, None, None, lineno=token.offset)

    def _postfix(self, node: nodes.Expr) -> nodes.Expr:
        while self.current.kind == tokens.PUNCTUATION:
            if self.skip("."):
                name = self.expect(tokens.NAME)
                node = nodes.Getattr(node, name.value, "load", lineno=name.offset)
                if self.at(tokens.PUNCTUATION, "("):
                    arguments = self._positional()
                    node = nodes.Call(node, arguments, [], None, None, lineno=name.offset)
            elif self.at(tokens.PUNCTUATION, "["):
                opening = self.next()
                key = self.expression()
                self.expect(tokens.PUNCTUATION, "]")
                node = nodes.Getitem(node, key, "load", lineno=opening.offset)
            else:
                break
        return node

    def _list(self, opening: Token) -> nodes.List:
        items: list[nodes.Expr] = []
        while not self.skip("]"):
            if items:
                self.expect(tokens.PUNCTUATION, ",")
            items.append(self.expression())
        return nodes.List(items, lineno=opening.offset)

    def _map(self, opening: Token) -> nodes.Dict:
        pairs: list[nodes.Pair] = []
        while not self.skip("}"):
            if pairs:
                self.expect(tokens.PUNCTUATION, ",")
            key = self.expression()
            self.expect(tokens.PUNCTUATION, ":")
            pairs.append(nodes.Pair(key, self.expression(), lineno=key.lineno))
        return nodes.Dict(pairs, lineno=opening.offset)

    def _interpolation(self, opening: Token) -> nodes.Expr:
        parts: list[nodes.Expr] = []
        while self.current.kind != tokens.INTERPOLATION_END:
            if self.current.kind == tokens.STRING:
                text = self.next()
                parts.append(nodes.Const(text.value, lineno=text.offset))
            else:
                self.expect(tokens.INNER_BEGIN)
                parts.append(self.expression())
                self.expect(tokens.INNER_END)
        self.next()
        if len(parts) == 1:
            return parts[0]
        empty = nodes.Const("", lineno=opening.offset)
        return nodes.Filter(empty, "$~", parts, [], None, None, lineno=opening.offset)

    def _filter(self, left: nodes.Expr | None, token: Token) -> nodes.Filter:
        name = self.expect(tokens.NAME)
        arguments, named = self._optional_arguments()
        return nodes.Filter(left, name.value, arguments, named, None, None, lineno=token.offset)

    def _test(self, left: nodes.Expr, operator: Token) -> nodes.Expr:
        name = self.expect(tokens.NAME)
        arguments, named = self._optional_arguments()
        test = nodes.Test(left, name.value, arguments, named, None, None, lineno=name.offset)
        if operator.value == "is":
            return test
        return nodes.Filter(test, "$not", [], [], None, None, lineno=operator.offset)

    def _optional_arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        return self._arguments() if self.at(tokens.PUNCTUATION, "(") else ([], [])

    def _arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        positional: list[nodes.Expr] = []
        named: list[nodes.Keyword] = []
        self.expect(tokens.PUNCTUATION, "(")
        while not self.skip(")"):
            if positional or named:
                self.expect(tokens.PUNCTUATION, ",")
            if self._begins_named_argument():
                name = self.next()
                self.next()
                named.append(nodes.Keyword(name.value, self.expression(), lineno=name.offset))
            elif named:
                self.fail("positional arguments stand before named ones")
            else:
                positional.append(self.expression())
        return positional, named

    def _begins_named_argument(self) -> bool:
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        return self.current.kind == tokens.NAME and following[:2] == (tokens.PUNCTUATION, "=")

    def _positional(self) -> list[nodes.Expr]:
        arguments, named = self._arguments()
        if named:
            self.fail("methods take no named arguments")
        return arguments

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(f"nested more than {MAX_NESTING} levels deep")


def _operation(operator: Token, left: nodes.Expr, right: nodes.Expr) -> nodes.Expr:
    name = "==" if operator.value == "equals" else operator.value
    if isinstance(left, nodes.Filter) and left.name == f"${name}" and name in ("~", "and", "or"):
        left.args.append(right)  # ((a ~ b) ~ c) is one operation of three
        return left
    return nodes.Filter(left, f"${name}", [right], [], None, None, lineno=operator.offset)


def _name_of(kind: str, value: str | None) -> str:
    if value is not None:
        return repr(value)
    return {"name": "a name"}.get(kind, kind)


def _found(token: Token) -> str:
    if token.kind in (tokens.NAME, tokens.OPERATOR, tokens.PUNCTUATION):
        return repr(token.value)
    return {
        tokens.TEXT: "text",
        tokens.STRING: "a string",
        tokens.INTEGER: "a number",
        tokens.DECIMAL: "a number",
        tokens.INTERPOLATION_BEGIN: "a string",
    }.get(token.kind, token.kind)
