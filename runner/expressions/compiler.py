"""Turns nodes into closures: a tree walk whose branches are chosen once, not at every render."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from jinja2 import nodes

from runner.expressions import attributes, operators
from runner.expressions.errors import ExpressionError, LimitExceeded, UnknownAttribute
from runner.expressions.frame import Evaluate, Frame
from runner.expressions.parser import Parsed
from runner.expressions.registry import FILTERS, FUNCTIONS, TESTS, Default, Extension, Parameter
from runner.expressions.values import LiteralMap

from .closures import (
    block_step,
    calling,
    constantly,
    items_of,
    key_of,
    list_of,
    not_null,
    opaque,
    or_null,
    print_step,
    python_reason,
    text_step,
    whether_defined,
    with_arguments,
    with_frame,
)
from .program import Macro, Program, Step, Text, java_text, join, run_loop, run_macro

MAX_DEPTH = 200
_UNPAID_CHARS = 500


_PYTHON_ERRORS = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)


def compile_template(parsed: Parsed) -> Program:
    """The program of a parsed template.

    Raises:
        ExpressionError: an expression is nested too deep to be evaluated.
    """
    program = Program(parsed.source)
    outer = _Compiler(parsed, program, _assigned_names(parsed))
    program.steps = outer.body(parsed.body)
    program.has_text = any(isinstance(node, nodes.TemplateData) for node in parsed.body)
    if len(parsed.body) == 1 and isinstance(parsed.body[0], nodes.Output):
        program.lone = outer.expression(parsed.body[0].nodes[0])
    program.blocks = {name: outer.body(block.body) for name, block in parsed.blocks.items()}
    for name, macro in parsed.macros.items():
        program.macros[name] = _Compiler(parsed, program, None).macro(macro)
    return program


def _assigned_names(parsed: Parsed) -> set[str]:
    names = {"loop"}
    pending: list[nodes.Node] = [*parsed.body, *parsed.blocks.values()]
    while pending:
        node = pending.pop()
        if isinstance(node, nodes.Name):
            if node.ctx == "store":
                names.add(node.name)
        elif not isinstance(node, nodes.TemplateData | nodes.Output):
            pending.extend(node.iter_child_nodes())
    return names


class _Compiler:
    """Compiles one body; `assigned` are the names that scopes may hold, None if all are there."""

    def __init__(self, parsed: Parsed, program: Program, assigned: set[str] | None) -> None:
        self.source = parsed.source
        self.program = program
        self.assigned = assigned
        self.macros = parsed.macros
        self.depth = 0

    # ---- statements

    def body(self, body: list[nodes.Node]) -> tuple[Step, ...]:
        return tuple(self._step(node) for node in body)

    def _step(self, node: nodes.Node) -> Step:
        match node:
            case nodes.TemplateData():
                return text_step(Text(node.data))
            case nodes.Output():
                return print_step(self.expression(node.nodes[0]))
            case nodes.If():
                return self._if(node)
            case nodes.For():
                return self._for(node)
            case nodes.Assign():
                return self._assign(node)
            case nodes.Block():
                return block_step(node.name)
            case nodes.FilterBlock():
                return self._filter_block(node)
        raise TypeError(f"no step for {node}")

    def _if(self, node: nodes.If) -> Step:
        branches = [
            (self._condition(branch.test), self.body(branch.body)) for branch in (node, *node.elif_)
        ]
        otherwise = self.body(node.else_)

        def step(frame: Frame, out: list[Any]) -> None:
            for condition, body in branches:
                if condition(frame):
                    chosen = body
                    break
            else:
                chosen = otherwise
            for inner in chosen:
                inner(frame, out)

        return step

    def _condition(self, node: nodes.Node, what: str = "a condition") -> Evaluate:
        evaluate = self.expression(node)

        def condition(frame: Frame) -> bool:
            value = evaluate(frame)
            return value if value is True or value is False else operators.truth(value, what)

        return self._placed(condition, node.lineno)

    def _for(self, node: nodes.For) -> Step:
        assert isinstance(node.target, nodes.Name)
        iterated = self._placed(items_of(self.expression(node.iter)), node.iter.lineno)
        body = self.body(node.body)
        otherwise = self.body(node.else_)
        name = node.target.name
        cost = 1 + len(body)

        def step(frame: Frame, out: list[Any]) -> None:
            items = iterated(frame)
            if items is None:
                return
            if not items:
                for inner in otherwise:
                    inner(frame, out)
                return
            run_loop(frame, out, items, name, body, cost)

        return step

    def _assign(self, node: nodes.Assign) -> Step:
        evaluate = self.expression(node.node)
        assert isinstance(node.target, nodes.Name)
        name = node.target.name

        def step(frame: Frame, out: list[Any]) -> None:
            frame.assign(name, evaluate(frame))

        return step

    def _filter_block(self, node: nodes.FilterBlock) -> Step:
        steps = self.body(node.body)

        def body(frame: Frame) -> str:
            out: list[Any] = []
            for step in steps:
                step(frame, out)
            return join(out, frame, java_text)

        chain: list[nodes.Filter] = []
        link: nodes.Expr | None = node.filter
        while isinstance(link, nodes.Filter):
            chain.append(link)
            link = link.node
        evaluate: Evaluate = body
        for link in reversed(chain):
            evaluate = self._extension_on(link, FILTERS.find(link.name), evaluate)
        return print_step(evaluate)

    def macro(self, node: nodes.Macro) -> Macro:
        names = tuple(argument.name for argument in node.args)
        defaults = tuple(or_null(self.expression(default)) for default in node.defaults)
        return Macro(node.name, names, defaults, self.body(node.body))

    # ---- expressions

    def expression(self, node: nodes.Node) -> Evaluate:
        """The closure that evaluates the node."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.source.error(f"nested more than {MAX_DEPTH} levels deep", node.lineno)
        compiled = self._compile(node)
        self.depth -= 1
        return compiled

    def _compile(self, node: nodes.Node) -> Evaluate:
        match node:
            case nodes.Const():
                return constantly(node.value)
            case nodes.Name():
                return self._name(node)
            case nodes.Getattr() | nodes.Getitem():
                return self._access(node)
            case nodes.Filter(name=name) if name[0] == "$":
                return self._operation(node)
            case nodes.Filter():
                return self._filter(node)
            case nodes.Test():
                return self._test(node)
            case nodes.Call():
                return self._call(node)
            case nodes.CondExpr():
                return self._ternary(node)
            case nodes.List():
                return list_of(tuple(self.expression(item) for item in node.items))
            case nodes.Dict():
                return self._map(node)
        raise TypeError(f"no expression for {node}")

    def _name(self, node: nodes.Name) -> Evaluate:
        name, source, offset = node.name, self.source, node.lineno
        if self.assigned is not None and name not in self.assigned:

            def context_variable(frame: Frame) -> Any:
                try:
                    return frame.context.variables[name]
                except KeyError:
                    pass
                try:
                    return frame.lookup(name)
                except UnknownAttribute as error:
                    error.within(source, offset)
                    raise

            return context_variable

        def variable(frame: Frame) -> Any:
            try:
                return frame.lookup(name)
            except UnknownAttribute as error:
                error.within(source, offset)
                raise

        return variable

    def _access(self, node: nodes.Getattr | nodes.Getitem) -> Evaluate:
        """A chain such as `a.b['c'][i]` as one closure."""
        links: list[tuple[Any, Evaluate | None, int]] = []
        base: nodes.Node = node
        while isinstance(base, nodes.Getattr | nodes.Getitem):
            if isinstance(base, nodes.Getattr):
                links.append((base.attr, None, base.lineno))
            elif isinstance(base.arg, nodes.Const):
                links.append((base.arg.value, None, base.lineno))
            else:
                links.append((None, self.expression(base.arg), base.lineno))
            base = base.node
        links.reverse()
        evaluate = self.expression(base)
        if all(key is None for _, key, _ in links):
            return self._constant_path(evaluate, [(name, offset) for name, _, offset in links])
        return self._path(evaluate, links)

    def _constant_path(self, base: Evaluate, keys: list[tuple[Any, int]]) -> Evaluate:
        source = self.source
        lookup = attributes.lookup

        def path(frame: Frame) -> Any:
            value = base(frame)
            for key, offset in keys:
                if type(value) is dict and key in value and type(key) is str:
                    value = value[key]
                    continue
                try:
                    value = lookup(value, key)
                except ExpressionError as error:
                    error.within(source, offset)
                    raise
            return value

        return path

    def _path(self, base: Evaluate, links: list[tuple[Any, Evaluate | None, int]]) -> Evaluate:
        source = self.source
        lookup = attributes.lookup

        def path(frame: Frame) -> Any:
            value = base(frame)
            for name, key, offset in links:
                subscript = name if key is None else key(frame)
                try:
                    value = lookup(value, subscript)
                except ExpressionError as error:
                    error.within(source, offset)
                    raise
            return value

        return path

    def _ternary(self, node: nodes.CondExpr) -> Evaluate:
        evaluate = self.expression(node.test)
        first, second = self.expression(node.expr1), self.expression(node.expr2 or _NULL)

        def ternary(frame: Frame) -> Any:
            condition = evaluate(frame)
            if condition is not True and condition is not False:
                condition = condition is not None and operators.truth(condition)
            return first(frame) if condition else second(frame)

        return self._placed(ternary, node.lineno)

    def _map(self, node: nodes.Dict) -> Evaluate:
        pairs = tuple(
            (self.expression(pair.key), self.expression(pair.value)) for pair in node.items
        )

        def literal(frame: Frame) -> Any:
            made = LiteralMap()
            for key, value in pairs:
                name = key_of(key(frame), frame)
                made[name] = item = value(frame)
                if isinstance(item, str | list):
                    frame.budget.keep(item)
            return made

        return self._placed(literal, node.lineno)

    # ---- operators

    def _operation(self, node: nodes.Filter) -> Evaluate:
        assert node.node is not None
        name = node.name[1:]
        if name == "~":
            return self._concatenation([node.node, *node.args])
        if name in ("and", "or"):
            return self._logic(name, [node.node, *node.args])
        if name in ("??", "???"):
            return self._fallback(node, name)
        if name == "not":
            condition = self._condition(node.node, "not")
            return lambda frame: not condition(frame)
        if name.startswith("unary"):
            function = operators.negate if name == "unary-" else operators.identity
            operand = self.expression(node.node)
            return self._placed(lambda frame: function(operand(frame)), node.lineno)
        return self._binary(node)

    def _binary(self, node: nodes.Filter) -> Evaluate:
        """A chain of operators without short cuts, from its innermost left side on."""
        links: list[tuple[Callable[[Any, Any, Any], Any], Evaluate, int]] = []
        left: nodes.Node = node
        is_transparent = node.name in _TRANSPARENT
        while (
            isinstance(left, nodes.Filter)
            and left.name in _STRICT
            and (left.name in _TRANSPARENT) is is_transparent
        ):
            right = self.expression(left.args[0])
            links.append((_STRICT[left.name], right, left.lineno))
            assert left.node is not None
            left = left.node
        first = self.expression(left)
        if len(links) == 1:
            function, right, offset = links[0]
            evaluate = self._placed(
                lambda frame: function(first(frame), right(frame), frame.budget), offset
            )
        else:
            links.reverse()
            evaluate = self._chain(first, links)
        return evaluate if is_transparent else opaque(evaluate)

    def _chain(
        self, first: Evaluate, links: list[tuple[Callable[[Any, Any, Any], Any], Evaluate, int]]
    ) -> Evaluate:
        source = self.source

        def chain(frame: Frame) -> Any:
            value = first(frame)
            for function, right, offset in links:
                try:
                    value = function(value, right(frame), frame.budget)
                except ExpressionError as error:
                    error.within(source, offset)
                    raise
            return value

        return chain

    def _concatenation(self, parts: list[nodes.Expr]) -> Evaluate:
        evaluates = tuple(self.expression(part) for part in parts)

        def concatenation(frame: Frame) -> str:
            text = join([evaluate(frame) for evaluate in evaluates], frame, java_text)
            if len(text) > _UNPAID_CHARS:
                frame.budget.allow_text(len(text))
            return text

        return self._placed(concatenation, parts[0].lineno)

    def _logic(self, name: str, parts: list[nodes.Expr]) -> Evaluate:
        conditions = tuple(self._condition(part, name) for part in parts)
        if name == "and":
            return lambda frame: all(condition(frame) for condition in conditions)
        return lambda frame: any(condition(frame) for condition in conditions)

    def _fallback(self, node: nodes.Filter, name: str) -> Evaluate:
        """`a ?? b ?? c` as one closure; `???` keeps null."""
        sides: list[nodes.Expr] = []
        left: nodes.Expr | None = node
        while isinstance(left, nodes.Filter) and left.name == node.name:
            sides.append(left.args[0])
            left = left.node
        assert left is not None
        sides.append(left)
        *attempts, last = (self.expression(side) for side in reversed(sides))
        keeps_null = name == "???"

        def fallback(frame: Frame) -> Any:
            for attempt in attempts:
                try:
                    value = attempt(frame)
                except UnknownAttribute:
                    continue
                if value is not None or keeps_null:
                    return value
            return last(frame)

        return fallback

    # ---- filters, tests, functions

    def _filter(self, node: nodes.Filter) -> Evaluate:
        assert node.node is not None
        extension = FILTERS.find(node.name)
        if node.name == "default":
            return self._extension_on(node, extension, or_null(self.expression(node.node)))
        return self._extension_on(node, extension, self.expression(node.node))

    def _test(self, node: nodes.Test) -> Evaluate:
        evaluate = self.expression(node.node)
        if node.name == "defined":
            return whether_defined(evaluate)
        return self._extension_on(node, TESTS.find(node.name), evaluate)

    def _extension_on(
        self, node: nodes.Filter | nodes.Test, extension: Extension | None, left: Evaluate
    ) -> Evaluate:
        if extension is None:
            table = FILTERS if isinstance(node, nodes.Filter) else TESTS
            return self._raising(table.unknown(node.name), node.lineno)
        arguments = self._arguments(node, extension)
        if isinstance(arguments, ExpressionError):
            return self._raising(arguments, node.lineno)
        code = extension.code
        if extension.takes_frame:
            return self._placed(with_frame(extension, left, arguments), node.lineno)
        if not arguments:
            if extension.takes_null:
                return self._placed(lambda frame: code(left(frame)), node.lineno)
            return self._placed(calling(code, left), node.lineno)
        return self._placed(with_arguments(extension, left, arguments), node.lineno)

    def _arguments(
        self, node: nodes.Filter | nodes.Test | nodes.Call, extension: Extension
    ) -> tuple[Evaluate, ...] | ExpressionError:
        positional = [self.expression(argument) for argument in node.args]
        named = {str(word.key): self.expression(word.value) for word in node.kwargs}
        try:
            placed = extension.place(positional, named)
        except ExpressionError as error:
            return error
        arguments = []
        parameters = extension.parameters if not extension.is_variadic else ()
        for index, argument in enumerate(placed):
            evaluate = constantly(argument.value) if isinstance(argument, Default) else argument
            if index < len(parameters) and not _may_be_null(parameters[index]):
                evaluate = not_null(evaluate, extension, index)
            arguments.append(evaluate)
        return tuple(arguments)

    def _call(self, node: nodes.Call) -> Evaluate:
        if isinstance(node.node, nodes.Getattr):
            return self._method(node.node, node)
        assert isinstance(node.node, nodes.Name)
        name = node.node.name
        extension = FUNCTIONS.find(name)
        if extension is None and name in self.macros:
            return self._macro_call(name, node)
        if extension is None:
            return self._raising(FUNCTIONS.unknown(name), node.lineno)
        arguments = self._arguments(node, extension)
        if isinstance(arguments, ExpressionError):
            return self._raising(arguments, node.lineno)
        code = extension.code
        if extension.takes_frame:
            return self._placed(
                lambda frame: code(frame, *[argument(frame) for argument in arguments]),
                node.lineno,
            )
        return self._placed(
            lambda frame: code(*[argument(frame) for argument in arguments]), node.lineno
        )

    def _method(self, target: nodes.Getattr, node: nodes.Call) -> Evaluate:
        receiver = self.expression(target.node)
        arguments = tuple(self.expression(argument) for argument in node.args)
        name = target.attr

        def method(frame: Frame) -> Any:
            value = receiver(frame)
            given = [argument(frame) for argument in arguments]
            return attributes.call(value, name, given, frame.budget)

        return self._placed(method, node.lineno)

    def _macro_call(self, name: str, node: nodes.Call) -> Evaluate:
        positional = tuple(self.expression(argument) for argument in node.args)
        named = tuple((word.key, self.expression(word.value)) for word in node.kwargs)

        def call(frame: Frame) -> str:
            macro = frame.program.macros[name]
            given = dict(zip(macro.parameters, (a(frame) for a in positional), strict=False))
            given.update((key, value(frame)) for key, value in named)
            if len(positional) > len(macro.parameters):
                raise ExpressionError(f"macro {name!r} takes {len(macro.parameters)} arguments")
            return run_macro(macro, given, frame)

        return self._placed(call, node.lineno)

    # ---- errors

    def _raising(self, error: ExpressionError, offset: int) -> Evaluate:
        source, reason = self.source, error.reason

        def fail(frame: Frame) -> Any:
            raise ExpressionError(reason).within(source, offset)

        return fail

    def _placed(self, evaluate: Evaluate, offset: int) -> Evaluate:
        """The same, whose errors say where they happened."""
        source = self.source

        def placed(frame: Frame) -> Any:
            try:
                return evaluate(frame)
            except ExpressionError as error:
                error.within(source, offset)
                raise
            except MemoryError as error:
                raise LimitExceeded("not enough memory").within(source, offset) from error
            except _PYTHON_ERRORS as error:
                raise ExpressionError(python_reason(error)).within(source, offset) from error

        return placed


_NULL = nodes.Const(None)


def _may_be_null(parameter: Parameter) -> bool:
    return parameter.nullable or not parameter.required


_TRANSPARENT = ("$contains", "$isIn", "$..")


_STRICT: dict[str, Callable[[Any, Any, Any], Any]] = {
    "$+": operators.add,
    "$-": operators.subtract,
    "$*": operators.multiply,
    "$/": operators.divide,
    "$%": operators.remainder,
    "$==": operators.equal,
    "$!=": lambda left, right, budget: not operators.equal(left, right, budget),
    "$<": operators.ordered("<", operator.lt),
    "$>": operators.ordered(">", operator.gt),
    "$<=": operators.ordered("<=", operator.le),
    "$>=": operators.ordered(">=", operator.ge),
    "$contains": operators.contains,
    "$isIn": operators.is_in,
    "$..": operators.interval,
}
