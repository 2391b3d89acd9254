"""Names under router/ and plugins/, checked in the syntax trees.

A module, a class or a function has no name that was retired, a class name stands for one class,
and a constant of time or size carries its unit.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests import ROOT, TESTDATA

RETIRED = TESTDATA / "retired_names.txt"
"""Metaphors and words of several meanings; `#` begins a comment."""

QUANTITY = re.compile(
    r"(?:^|_)(TIMEOUT|INTERVAL|DELAY|PATIENCE|GRACE|AGE|TTL|LEASE|PERIOD|WINDOW|PAUSE|BACKOFF|REST"
    r"|SIZE|BODY|BUFFER|CHUNK|WAIT|DURATION|DEADLINE|MARGIN|LIFETIME)S?$"
)
"""Ends of names that measure something, and do not say in what."""


class NameFault(NamedTuple):
    """A name that another one should take the place of."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@cache
def retired_names() -> frozenset[tuple[str, str]]:
    """Return the names that nothing may have, each with the kind of its definition."""
    lines = (line.partition("#")[0].split() for line in RETIRED.read_text("utf-8").splitlines())
    return frozenset((line[0], line[1]) for line in lines if line)


def find_faults(root: Path = ROOT) -> Iterator[NameFault]:
    """Yield every fault of the names below `root`, file by file."""
    classes: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in python_files(root):
        file = path.relative_to(root)
        if ("module", path.stem.lstrip("_")) in retired_names():
            yield NameFault(file, 1, f"the module name {path.stem} is retired")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield from retired_definitions(node, file)
            if isinstance(node, ast.ClassDef):
                classes[node.name].append((file, node.lineno))
            if isinstance(node, ast.Module):
                yield from constants_without_unit(node.body, file)
    for name, places in classes.items():
        for file, line in places[1:]:
            other, at = places[0]
            yield NameFault(file, line, f"class {name} has the name of {other}:{at}")


def python_files(root: Path) -> Iterator[Path]:
    """Yield the modules of the router and its plugins; migrations are named by their number."""
    for folder in ("plugins", "router"):
        for path in sorted((root / folder).rglob("*.py")):
            if "versions" not in path.parts and not path.is_relative_to(root / "router/plugins"):
                yield path


def retired_definitions(node: ast.AST, file: Path) -> Iterator[NameFault]:
    """Yield a class or a function of a retired name."""
    match node:
        case ast.ClassDef(name=name):
            kind = "class"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            kind = "function"
        case _:
            return
    if (kind, name.lstrip("_")) in retired_names():
        yield NameFault(file, node.lineno, f"the {kind} name {name} is retired")


def constants_without_unit(body: Iterable[ast.stmt], file: Path) -> Iterator[NameFault]:
    """Yield the constants of a module that are numbers of something, and do not say of what."""
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in targets:
            if isinstance(target, ast.Name) and is_number(node.value):  # type: ignore[attr-defined]
                is_plain = "_PER_" not in target.id and target.id.strip("_").isupper()
                if not is_plain or not QUANTITY.search(target.id):
                    continue
                text = f"the constant {target.id} has no unit; end it in _S, _BYTES or the like"
                yield NameFault(file, node.lineno, text)


def is_number(value: ast.expr) -> bool:
    """Return whether an expression is made of numbers alone."""
    match value:
        case ast.Constant(value=int() | float()):
            return not isinstance(value.value, bool)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case _:
            return False
