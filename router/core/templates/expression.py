"""Expressions of a template: Jinja's syntax tree turned into closures, node by node.

A node without a builder here is not allowed: no loops, calls, assignments, or arithmetic that
multiplies. Jinja's own code generator is not used: it takes a millisecond a template, and what
it makes can do whatever Python can.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence

from jinja2 import nodes

from router.core.errors import suggest
from router.core.templates import operators
from router.core.templates.errors import UnsupportedSyntax, raise_syntax_error
from router.core.templates.filters import FILTERS, MAX_RESULT_LENGTH, key, text

MAX_NODES = 250
MAX_EXPRESSION_DEPTH = 32

DECLARABLE_ROOTS = frozenset({"custom", "attributes", "message"})
"""Where paths begin that a file can declare, with a default."""

ASSUMED_VALUE = ""
"""Under this name, which no template can write, stand the defaults by path."""

Names = Mapping[str, object]
Evaluate = Callable[[Names], object]

_SIGNATURES = {name: inspect.signature(function) for name, function in FILTERS.items()}
_TESTS = {"defined": True, "undefined": False, "none": False}


class ExpressionBuilder:
    """Turns the nodes of one template into closures; `names` collects the paths they read."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self.names: set[str] = set()
        self._count = 0
        self._depth = 0

    def outputs(self, body: Sequence[nodes.Node]) -> list[Evaluate]:
        """Return what a body puts out, one closure a part; raise `Refused`."""
        made: list[Evaluate] = []
        for node in body:
            match node:
                case nodes.Output():
                    made += [self.build(part) for part in node.nodes]
                case nodes.If():
                    made.append(self._branches(node))
                case _:
                    raise raise_syntax_error(node)
        return made

    def build(self, node: nodes.Node) -> Evaluate:
        """Return the closure of an expression; raise `Refused`."""
        self._enter(node)
        build = _BUILDERS.get(type(node))
        if build is None:
            raise raise_syntax_error(node)
        made = build(self, node)
        self._depth -= 1
        return made

    def _enter(self, node: nodes.Node) -> None:
        self._count += 1
        self._depth += 1
        if self._count > MAX_NODES or self._depth > MAX_EXPRESSION_DEPTH:
            raise UnsupportedSyntax("is too long or nested too deeply", node)

    def _branches(self, node: nodes.If) -> Evaluate:
        """Return the closure of an `if`: it gives the outputs of the first branch that holds."""
        self._enter(node)
        branches = [(self.build(node.test), self.outputs(node.body))]
        branches += [(self.build(branch.test), self.outputs(branch.body)) for branch in node.elif_]
        otherwise = self.outputs(node.else_)
        self._depth -= 1

        def choose(names: Names) -> str:
            for test, outputs in branches:
                if test(names):
                    return joined(outputs, names)
            return joined(otherwise, names)

        return choose


def joined(outputs: Sequence[Evaluate], names: Names) -> str:
    """Return the outputs as one text of at most `LIMIT` characters."""
    parts, size = [], 0
    for output in outputs:
        value = output(names)
        part = value if type(value) is str else text(value)
        parts.append(part)
        size += len(part)
        if size >= MAX_RESULT_LENGTH:
            break
    return "".join(parts)[:MAX_RESULT_LENGTH]


def _data(_: ExpressionBuilder, node: nodes.TemplateData) -> Evaluate:
    words = node.data
    return lambda _: words


def _constant(_: ExpressionBuilder, node: nodes.Const) -> Evaluate:
    value = node.value
    if value is None:
        raise UnsupportedSyntax(
            "`none` is not a value; ask `is defined`, or use `default`", node, "none"
        )
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise UnsupportedSyntax("a text holds half a character", node, "\\u")
    return lambda _: value


def _reference(builder: ExpressionBuilder, node: nodes.Expr) -> Evaluate:
    """Return the closure of a name and the keys behind it, which are one path."""
    keys: list[str | int] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        keys.insert(0, node.attr if isinstance(node, nodes.Getattr) else _index(node))
        node = node.node
    if not isinstance(node, nodes.Name):
        return _walk(builder.build(node), keys)
    builder.names.add(_path(node.name, keys))
    read = _walk(_name(node.name), keys)
    return _assuming(read, (node.name, *keys)) if node.name in DECLARABLE_ROOTS else read


def _assuming(read: Evaluate, path: tuple[str | int, ...]) -> Evaluate:
    """Return what reads a path, or gives its default where there is nothing."""

    def read_or_assume(names: Names) -> object:
        value = read(names)
        if value is None and isinstance(assumed := names.get(ASSUMED_VALUE), Mapping):
            return assumed.get(path)
        return value

    return read_or_assume


def _name(name: str) -> Evaluate:
    def read(names: Names) -> object:
        value = names.get(name)
        return value[:MAX_RESULT_LENGTH] if isinstance(value, str) else value

    return read


def _walk(root: Evaluate, keys: list[str | int]) -> Evaluate:
    if not keys:
        return root

    def read(names: Names) -> object:
        value = root(names)
        for part in keys:
            value = key(value, part)
        return value

    return read


def _index(node: nodes.Getitem) -> str | int:
    match node.arg:
        case nodes.Const(value=str() | int() as part):
            return part
        case nodes.Neg(node=nodes.Const(value=int() as part)):
            return -part
        case _:
            raise UnsupportedSyntax("a key in [ ] must be written out", node, "[")


def _path(root: str, keys: list[str | int]) -> str:
    words = [part for part in keys if isinstance(part, str)]
    return root + "".join(f".{w}" if w.isidentifier() else f"['{w}']" for w in words)


def _compare(builder: ExpressionBuilder, node: nodes.Compare) -> Evaluate:
    first = builder.build(node.expr)
    rest = [(operators.COMPARISONS[part.op], builder.build(part.expr)) for part in node.ops]

    def holds(names: Names) -> bool:
        left = first(names)
        for compare, operand in rest:
            right = operand(names)
            if not compare(left, right):
                return False
            left = right
        return True

    return holds


def _binary(operate: Callable[[object, object], object]) -> Callable[..., Evaluate]:
    def build(builder: ExpressionBuilder, node: nodes.BinExpr) -> Evaluate:
        left, right = builder.build(node.left), builder.build(node.right)
        return lambda names: operate(left(names), right(names))

    return build


def _and(builder: ExpressionBuilder, node: nodes.And) -> Evaluate:
    left, right = builder.build(node.left), builder.build(node.right)
    return lambda names: left(names) and right(names)


def _or(builder: ExpressionBuilder, node: nodes.Or) -> Evaluate:
    left, right = builder.build(node.left), builder.build(node.right)
    return lambda names: left(names) or right(names)


def _not(builder: ExpressionBuilder, node: nodes.Not) -> Evaluate:
    inner = builder.build(node.node)
    return lambda names: not inner(names)


def _negative(builder: ExpressionBuilder, node: nodes.Neg) -> Evaluate:
    inner = builder.build(node.node)
    return lambda names: operators.subtract(0, inner(names))


def _conditional(builder: ExpressionBuilder, node: nodes.CondExpr) -> Evaluate:
    test, first = builder.build(node.test), builder.build(node.expr1)
    second = builder.build(node.expr2) if node.expr2 is not None else lambda _: None
    return lambda names: first(names) if test(names) else second(names)


def _items(builder: ExpressionBuilder, node: nodes.List | nodes.Tuple) -> Evaluate:
    parts = [builder.build(item) for item in node.items]
    return lambda names: [part(names) for part in parts]


def _concat(builder: ExpressionBuilder, node: nodes.Concat) -> Evaluate:
    parts = [builder.build(part) for part in node.nodes]
    return lambda names: joined(parts, names)


def _test(builder: ExpressionBuilder, node: nodes.Test) -> Evaluate:
    if node.name not in _TESTS:
        known = ", ".join(f"`is {name}`" for name in _TESTS)
        raise UnsupportedSyntax(
            f"unknown test `is {node.name}`; known are {known}", node, node.name
        )
    inner, wanted = builder.build(node.node), _TESTS[node.name]
    return lambda names: (inner(names) is not None) is wanted


def _filter(builder: ExpressionBuilder, node: nodes.Filter) -> Evaluate:
    apply = FILTERS.get(node.name)
    if apply is None:
        hint = suggest(node.name, FILTERS) or f"known are {', '.join(FILTERS)}"
        raise UnsupportedSyntax(f'unknown filter "{node.name}"; {hint}', node, node.name)
    if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise UnsupportedSyntax(f'filter "{node.name}" cannot be used so', node, node.name)
    value = builder.build(node.node)
    arguments = [builder.build(argument) for argument in node.args]
    named = {str(pair.key): builder.build(pair.value) for pair in node.kwargs}
    try:
        _SIGNATURES[node.name].bind(value, *arguments, **named)
    except TypeError as error:
        raise UnsupportedSyntax(f'filter "{node.name}": {error}', node, node.name) from error
    if not node.args and not named:
        return lambda names: apply(value(names))
    return lambda names: apply(
        value(names),
        *[argument(names) for argument in arguments],
        **{name: argument(names) for name, argument in named.items()},
    )


_BUILDERS: Mapping[type[nodes.Node], Callable[..., Evaluate]] = {
    nodes.TemplateData: _data,
    nodes.Const: _constant,
    nodes.Name: _reference,
    nodes.Getattr: _reference,
    nodes.Getitem: _reference,
    nodes.Compare: _compare,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.Neg: _negative,
    nodes.Add: _binary(operators.add),
    nodes.Sub: _binary(operators.subtract),
    nodes.Concat: _concat,
    nodes.CondExpr: _conditional,
    nodes.List: _items,
    nodes.Tuple: _items,
    nodes.Test: _test,
    nodes.Filter: _filter,
}
