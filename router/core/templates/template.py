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
from router.core.templates.errors import Refused
from router.core.templates.expression import Builder, Evaluate, joined

SOURCE = 8 * 1024
"""Characters of the longest source."""

Render = Callable[[Mapping[str, object]], str]


class TemplateError(ValueError):
    """A source that is no template we take: `offset` counts characters from its start."""

    def __init__(self, message: str, offset: int) -> None:
        """Keep the message and the offset apart, for the place in the file."""
        super().__init__(message)
        self.message = message
        self.offset = offset


class TemplateFault(Exception):  # noqa: N818 - it names what went wrong with one text
    """A template could not be rendered with these values; it costs that text alone."""


class Template(Struct, frozen=True, kw_only=True):
    """A compiled template; `names` are the paths it reads, written as in a condition.

    An index leaves no trace in a path: `messages[0].message` is `messages.message`. `render`
    takes the visible names and raises `TemplateFault`, nothing else.
    """

    source: str
    place: Place
    names: frozenset[str]
    render: Render


def compile_template(source: str, place: Place) -> Template:
    """Return the template of a source; `place` is where the source starts.

    Raises `TemplateError` for a syntax error and for syntax outside the allow-list.
    """
    names, render = _compiled(source)
    return Template(source=source, place=place, names=names, render=render)


@lru_cache(maxsize=4096)
def _compiled(source: str) -> tuple[frozenset[str], Render]:
    tree, builder = _parse(source), Builder()
    try:
        outputs = builder.outputs(tree.body)
    except Refused as refused:
        offset = _offset(source, refused.line, refused.word)
        raise TemplateError(refused.message, offset) from refused
    return frozenset(builder.names), _renderer(outputs)


def _parse(source: str) -> nodes.Template:
    if len(source) > SOURCE:
        raise TemplateError(f"is longer than {SOURCE} characters", SOURCE)
    try:
        return _grammar().parse(source)
    except TemplateSyntaxError as error:
        said = (error.message or "is no template").rstrip(".")
        raise TemplateError(said, _offset(source, error.lineno)) from error
    except RecursionError as error:
        raise TemplateError("is nested too deeply", 0) from error


@lru_cache(maxsize=1)
def _grammar() -> SandboxedEnvironment:
    """Return Jinja's parser with its default delimiters."""
    return SandboxedEnvironment(keep_trailing_newline=True)


def _renderer(outputs: list[Evaluate]) -> Render:
    def render(names: Mapping[str, object]) -> str:
        try:
            return joined(outputs, names).replace("\0", "\ufffd")
        except Exception as error:  # whatever a template does costs its text alone
            raise TemplateFault(f"{type(error).__name__}: {error}"[:200]) from error

    return render


def _offset(source: str, line: int, word: str = "") -> int:
    """Return where a word stands on a line (from 1) or later, or else where the code starts."""
    starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", source))]
    start = starts[min(line, len(starts)) - 1]
    for pattern in (re.escape(word), r"\{[{%]") if word else (r"\{[{%]",):
        if found := re.compile(pattern).search(source, start):
            return found.start()
    return start
