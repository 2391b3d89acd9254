"""A problem shown with its line, as `check` prints it."""

import re
from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from router.core.errors import Problem
from router.core.loading.yaml_document import split_lines
from router.core.loading.yaml_nodes import ScalarNode

_MAX_LINE_LENGTH = 160
_SECRET = re.compile(
    r"((?:[\w-]*(?:secret|token|passw|key|basic|account|url)[\w-]*['\"]?\s*:\s*|://))"
    r"([^\s,}\]#][^\n,}\]]*)",
    re.IGNORECASE,
)
"""What stands after a telling key or in a URL, for want of a schema to go by."""


def render_excerpt(problem: Problem, lines: Sequence[str]) -> str:
    """Return the faulty line with a caret line below it.

    Give it the lines of `LoadResult.text`, in which secrets are hidden.
    """
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    start = (
        max(0, problem.column - 1 - _MAX_LINE_LENGTH // 2) if len(line) > _MAX_LINE_LENGTH else 0
    )
    shown = line[start : start + _MAX_LINE_LENGTH]
    before = line[start : problem.column - 1]
    span = line[problem.column - 1 : problem.column - 1 + problem.length]
    carets = "^" * max(1, _columns(span))
    indent = "".join("\t" if letter == "\t" else " " * _columns(letter) for letter in before)
    return f"{problem.line:>5} | {shown}\n      | {indent}{carets}"


def mask_secrets(text: str, secrets: Iterable[ScalarNode]) -> str:
    """Return the text with the secrets in it hidden, every other character in its place."""
    lines = split_lines(text)
    for secret in secrets:
        first, column = secret.place.line - 1, secret.place.column - 1
        end = column + secret.length if secret.lines == 1 else len(lines[first])
        lines[first] = lines[first][:column] + "·" * (end - column) + lines[first][end:]
        for number in range(first + 1, min(first + secret.lines, len(lines))):
            lines[number] = "·" * len(lines[number])
    return "\n".join(lines)


def mask_all(text: str) -> str:
    """Return a text that is no YAML with what looks like a secret hidden."""
    return _SECRET.sub(lambda match: match[1] + "·" * len(match[2]), text)


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
