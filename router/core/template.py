"""Templates: Jinja kept to values and filters, so that no text can do more than be text."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from router.core.errors import Place


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

    `render` takes the visible names and raises `TemplateFault`, nothing else.
    """

    source: str
    place: Place
    names: frozenset[str]
    render: Callable[[Mapping[str, object]], str]


def compile_template(source: str, place: Place) -> Template:
    """Return the template of a source; `place` is where the source starts.

    Raises `TemplateError` for a syntax error and for syntax outside the allow-list.
    """
    raise NotImplementedError
