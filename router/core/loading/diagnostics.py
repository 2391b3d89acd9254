"""What is wrong with a file, collected while it is read."""

from router.core.errors import Place, Problem, Severity
from router.core.loading.yaml_nodes import Node, ScalarNode

Span = tuple[int, int]
"""A part of a node's text: where it starts, and how many characters it has."""


class Diagnostics:
    """Collects the problems of one file, and where secrets stand in it."""

    def __init__(self) -> None:
        """Start with none."""
        self.problems: list[Problem] = []
        self.secrets: list[ScalarNode] = []

    def error(self, node: Node, message: str, hint: str = "", *, span: Span | None = None) -> None:
        """Add an error at a node, or at a part of its text."""
        self._add("error", node, message, hint, span)

    def warn(self, node: Node, message: str, hint: str = "", *, span: Span | None = None) -> None:
        """Add a warning at a node, or at a part of its text."""
        self._add("warning", node, message, hint, span)

    def _add(
        self, severity: Severity, node: Node, message: str, hint: str, span: Span | None
    ) -> None:
        place, length = _locate(node, span)
        self.problems.append(
            Problem(
                file=place.file,
                line=place.line,
                column=place.column,
                severity=severity,
                message=message,
                hint=hint,
                length=length,
            )
        )


def _locate(node: Node, span: Span | None) -> tuple[Place, int]:
    if span is None or not isinstance(node, ScalarNode) or node.inside is None:
        return node.place, node.length
    start = node.inside
    return Place(start.file, start.line, start.column + span[0]), span[1]
