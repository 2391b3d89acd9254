"""`${env:NAME}` and `${file:PATH}` in the settings of a channel."""

import re
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from router.core.loading.report import Report
from router.core.node import ScalarNode

Resolver = Callable[[Literal["env", "file"], str], str | None]
"""Looks `${env:NAME}` and `${file:PATH}` up; None when there is no such thing."""

_REFERENCE = re.compile(r"\$\{(?:(env|file):([^{}]+))?[^{}]*\}?")
_WRITE = "write ${env:NAME} or ${file:PATH}"


class References(Struct, frozen=True):
    """Replaces references; in `sandbox` mode a placeholder stands in for what is not there."""

    resolve: Resolver
    report: Report
    sandbox: bool

    def expand(self, node: ScalarNode, placeholder: Callable[[], str | None]) -> str:
        """Return a text with its references replaced, line ends at the end of a file left out.

        What `placeholder` returns, unless None, stands in for the whole text.
        """
        missing = False

        def replace(found: re.Match[str]) -> str:
            nonlocal missing
            text = self._look_up(found, node)
            missing = missing or text is None
            return "placeholder" if text is None else text

        expanded = _REFERENCE.sub(replace, node.text)
        standin = placeholder() if missing else None
        return expanded if standin is None else standin

    def _look_up(self, found: re.Match[str], node: ScalarNode) -> str | None:
        span = (found.start(), len(found[0]))
        source, name = found[1], found[2]
        if name is None or not found[0].endswith("}"):
            self.report.error(node, f'"{found[0]}" is no reference', _WRITE, span=span)
            return None
        text = self.resolve("env" if source == "env" else "file", name)
        if text is not None:
            return text.rstrip("\r\n")
        what = f"the variable {name} is not set" if source == "env" else f"no file {name} to read"
        hint = "set it" if source == "env" else "put it there, readable for the router"
        if self.sandbox:
            self.report.warn(node, what, "in sandbox mode a placeholder stands in", span=span)
        else:
            self.report.error(node, what, hint, span=span)
        return None


def has_reference(text: str) -> bool:
    """Return whether a text holds a reference."""
    return "${" in text
