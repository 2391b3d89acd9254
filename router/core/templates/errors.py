"""What a template may not hold, and how that is said."""

from collections.abc import Mapping

from jinja2 import nodes

_WORDS: Mapping[type[nodes.Node], str] = {
    nodes.For: "a loop",
    nodes.Call: "a call",
    nodes.CallBlock: "a call",
    nodes.Assign: "`set`",
    nodes.AssignBlock: "`set`",
    nodes.FromImport: "`import`",
    nodes.FilterBlock: "`filter`",
    nodes.Mul: "`*`",
    nodes.Pow: "`**`",
    nodes.Mod: "`%`",
    nodes.Div: "`/`",
    nodes.FloorDiv: "`//`",
    nodes.Slice: "`:`",
    nodes.Dict: "`{`",
}


class UnsupportedSyntax(Exception):  # noqa: N818 - it says what became of a node
    """A node that is not allowed: on which line (from 1), and the word that shows where."""

    def __init__(self, message: str, node: nodes.Node, word: str = "") -> None:
        """Keep the parts apart, for the offset."""
        super().__init__(message)
        self.message = message
        self.line = node.lineno
        self.word = word


def raise_syntax_error(node: nodes.Node) -> UnsupportedSyntax:
    """Return the refusal of a node, by its word in the source."""
    word = _WORDS.get(type(node), f"`{type(node).__name__.lower()}`")
    return UnsupportedSyntax(f"{word} is not allowed in a template", node, word.strip("`"))
