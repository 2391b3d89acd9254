"""From the text of `rules.yaml` to a ruleset, or to everything that is wrong with it."""

from collections.abc import Callable, Collection, Mapping
from typing import Literal

from msgspec import Struct

from router.core.errors import Problem
from router.core.ruleset import ChannelSchema, Ruleset

Resolver = Callable[[Literal["env", "file"], str], str | None]
"""Looks `${env:NAME}` and `${file:PATH}` up; None when there is no such thing."""


class Loaded(Struct, frozen=True, kw_only=True):
    """What became of a file: its ruleset, None when a problem is an error, and its problems."""

    ruleset: Ruleset | None
    problems: tuple[Problem, ...] = ()


def load(  # noqa: PLR0913
    text: str,
    *,
    file: str,
    plugins: Mapping[str, ChannelSchema],
    resolve: Resolver,
    sandbox: bool = False,
    zones: Collection[str] = (),
) -> Loaded:
    """Return the ruleset in a text, with every problem at once, in file order.

    In `sandbox` mode a reference to what is not there is a warning, and a placeholder stands
    in. `zones` are the time zones known; with none, any name passes.
    """
    raise NotImplementedError


def picture(problem: Problem, text: str) -> str:
    """Return the faulty line with a caret line below it, as `check` prints it."""
    raise NotImplementedError
