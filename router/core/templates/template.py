"""Templates: Jinja kept to values and filters, so that no text can do more than be text.

Jinja parses; what it parsed is checked against an allow-list and compiled when the rules are
loaded. There are no loops and no calls, the number of nodes is bounded, and every text read or
made is cut at `filters.LIMIT`: that bounds time and output.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment
from msgspec import Struct

from router.core.errors import Place
from router.core.templates.errors import UnsupportedSyntax
from router.core.templates.expression import Evaluate, ExpressionBuilder, joined

MAX_SOURCE_LENGTH = 8 * 1024
"""Characters of the longest source."""

Render = Callable[[Mapping[str, object]], str]


class TemplateSourceError(ValueError):
    """A source that is no template we take: `offset` counts characters from its start."""

    def __init__(self, message: str, offset: int) -> None:
        """Keep the message and the offset apart, for the place in the file."""
        super().__init__(message)
        self.message = message
        self.offset = offset


class TemplateRenderError(Exception):
    """A template could not be rendered with these values; it costs that text alone."""


class Template(Struct, frozen=True, kw_only=True):
    """A compiled template; `names` are the paths it reads, written as in a condition.

    An index leaves no trace in a path: `messages[0].message` is `messages.message`. `render`
    takes the visible names and raises `TemplateRenderError`, nothing else.
    """

    source: str
    place: Place
    names: frozenset[str]
    render: Render


def compile_template(source: str, place: Place) -> Template:
    """Return the template of a source; `place` is where the source starts.

    Raises `TemplateSourceError` for a syntax error and for syntax outside the allow-list.
    """
    names, render = _compiled(source)
    return Template(source=source, place=place, names=names, render=render)


@lru_cache(maxsize=4096)
def _compiled(source: str) -> tuple[frozenset[str], Render]:
    tree, builder = _parse(source), ExpressionBuilder()
    try:
        outputs = builder.outputs(tree.body)
    except UnsupportedSyntax as refused:
        offset = _offset(source, refused.line, refused.word)
        raise TemplateSourceError(refused.message, offset) from refused
    return frozenset(builder.names), _renderer(outputs)


def _parse(source: str) -> nodes.Template:
    if len(source) > MAX_SOURCE_LENGTH:
        raise TemplateSourceError(
            f"is longer than {MAX_SOURCE_LENGTH} characters", MAX_SOURCE_LENGTH
        )
    try:
        return _grammar().parse(source)
    except TemplateSyntaxError as error:
        reason = (error.message or "is not a template").rstrip(".")
        raise TemplateSourceError(reason, _offset(source, error.lineno)) from error
    except RecursionError as error:
        raise TemplateSourceError("is nested too deeply", 0) from error


@lru_cache(maxsize=1)
def _grammar() -> SandboxedEnvironment:
    """Return Jinja's parser with its default delimiters."""
    return SandboxedEnvironment(keep_trailing_newline=True)


def _renderer(outputs: list[Evaluate]) -> Render:
    def render(names: Mapping[str, object]) -> str:
        try:
            return joined(outputs, names).replace("\0", "\ufffd")
        except Exception as error:  # whatever a template does costs its text alone
            raise TemplateRenderError(f"{type(error).__name__}: {error}"[:200]) from error

    return render


def _offset(source: str, line: int, word: str = "") -> int:
    """Return where a word stands on a line (from 1) or later, or else where the code starts."""
    starts = [0, *(line_end.end() for line_end in re.finditer(r"\r\n|\r|\n", source))]
    start = starts[min(line, len(starts)) - 1]
    for pattern in (re.escape(word), r"\{[{%]") if word else (r"\{[{%]",):
        if line_end := re.compile(pattern).search(source, start):
            return line_end.start()
    return start
