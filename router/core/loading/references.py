"""`${env:NAME}` and `${file:PATH}` in the settings of a channel."""

import re
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from router.core.loading.diagnostics import Diagnostics, Span
from router.core.loading.grants import RESERVED, Grant
from router.core.loading.yaml_nodes import Node, ScalarNode


class Unresolved(Struct, frozen=True, kw_only=True):
    """The reason why a reference has no value, and the remedy."""

    message: str
    hint: str


Resolver = Callable[[Literal["env", "file"], str, str], str | Unresolved]
"""Returns the value of `${env:NAME}` or `${file:PATH}`.

The third argument is the folder that a file has to lie in, symbolic links followed; empty where
any will do.
"""

_REFERENCE = re.compile(r"\$\{(?:(env|file):([^{}]+))?[^{}]*\}?")
_WRITE = "write ${env:NAME} or ${file:PATH}"


class References(Struct, frozen=True):
    """Replaces references; in `sandbox` mode a placeholder stands in for a missing value.

    With a `grant` it resolves the references that the grant allows, and refuses all others.
    """

    resolve: Resolver
    report: Diagnostics
    sandbox: bool
    grant: Grant | None = None

    def expand(self, node: ScalarNode, placeholder: Callable[[], str | None]) -> str:
        """Return a text with its references replaced, line ends at the end of a file left out.

        What `placeholder` returns, unless None, stands in for the whole text.
        """
        missing = False

        def replace(match: re.Match[str]) -> str:
            nonlocal missing
            text = self._look_up(match, node)
            missing = missing or text is None
            return "placeholder" if text is None else text

        expanded = _REFERENCE.sub(replace, node.text)
        standin = placeholder() if missing else None
        return expanded if standin is None else standin

    def _look_up(self, match: re.Match[str], node: ScalarNode) -> str | None:
        span = (match.start(), len(match[0]))
        source, name = match[1], match[2]
        if name is None or not match[0].endswith("}"):
            self.report.error(node, f'"{match[0]}" is not a reference', _WRITE, span=span)
            return None
        value = self._read("env" if source == "env" else "file", name, node, span)
        return None if value is None else value.rstrip("\r\n")

    def read_file(self, node: Node, path: str) -> str | None:
        """Return the text of a file that a setting names itself, None where there is none.

        The file has to be granted as one of `${file:PATH}` has, and the report says the same.
        """
        start = node.text.find(path) if isinstance(node, ScalarNode) else -1
        return self._read("file", path, node, None if start < 0 else (start, len(path)))

    def _read(
        self, source: Literal["env", "file"], name: str, node: Node, span: Span | None
    ) -> str | None:
        folder = self._find_folder(source, name)
        if folder is None:
            self.report.error(node, *_refuse(source, name), span=span)
            return None
        value = self.resolve(source, name, folder)
        if not isinstance(value, Unresolved):
            return value
        if self.sandbox:
            hint = "in sandbox mode a placeholder stands in"
            self.report.warn(node, value.message, hint, span=span)
        else:
            self.report.error(node, value.message, value.hint, span=span)
        return None

    def _find_folder(self, source: str, name: str) -> str | None:
        """Return the folder that a file has to lie in, empty for any; None: it is not granted."""
        if self.grant is None:
            return ""
        if source == "file":
            return self.grant.find_folder(name)
        return "" if self.grant.allows_variable(name) else None


def _refuse(source: str, name: str) -> tuple[str, str]:
    """Return the message and the remedy for a reference that is not granted to this file."""
    if source == "env" and name.startswith(RESERVED):
        hint = "use a variable of the team's own; those of the router are never granted"
        return f"{name} is a setting of the router", hint
    key, kind = ("env", "variable") if source == "env" else ("secret_files", "file")
    hint = f"add it to {key}: of this file's item under include: in the main file"
    return f"the {kind} {name} is not granted to this file", hint


def has_reference(text: str) -> bool:
    """Return whether a text holds a reference."""
    return "${" in text
