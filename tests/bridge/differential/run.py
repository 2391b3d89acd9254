"""One side of the comparison: `python -m tests.bridge.differential.run bridge|stock`.

Each side is a process of its own, for the bridge rebinds names in Apprise's modules. It reads
what the other side has found from standard input (nothing, for the first) and writes what it has
found itself.
"""

import asyncio
import logging
import sys

import msgspec
from apprise.plugins.base import NotifyBase

from tests.bridge.differential import fixed_environment, url_templates
from tests.bridge.differential.url_templates import Case


class Sent(msgspec.Struct, frozen=True):
    """A request that went out."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class Outcome(msgspec.Struct, frozen=True):
    """What became of a case: requests, or why there are none."""

    done: bool = False
    requests: list[Sent] = []
    refused: str = ""
    plugin: str = ""
    """The plugin's attributes, where it speaks past everybody's ears."""


class Report(msgspec.Struct):
    """What a side has found."""

    cases: list[Case]
    outcomes: list[Outcome]
    statuses: dict[str, int]
    """What each service was answered."""
    own: list[str]
    """Services that open connections by themselves."""


def main() -> None:
    """Run one side."""
    logging.disable(logging.CRITICAL)
    url_templates.services()
    if sys.argv[1] == "bridge":
        from tests.bridge.differential.bridge_side import run  # noqa: PLC0415 - one side only

        cases = [
            *url_templates.fixed_cases(),
            *url_templates.option_cases(),
            *url_templates.open_cases(),
        ]
        fixed_environment.freeze()
        report = asyncio.run(run(cases))
    else:
        from tests.bridge.differential.apprise_side import run_stock  # noqa: PLC0415 - the same

        fixed_environment.freeze()
        report = run_stock(msgspec.json.decode(sys.stdin.buffer.read(), type=Report))
    sys.stdout.buffer.write(msgspec.json.encode(report))


def describe(plugin: NotifyBase) -> str:
    """Return whom a plugin that opens connections by itself would send to."""
    words = ("target", "channel", "user", "room", "addr", "topic", "group", "callsign", "host")
    held = {k: v for k, v in vars(plugin).items() if any(word in k for word in words)}
    return repr(sorted((k, _order(v)) for k, v in held.items()))


def _order(value: object) -> str:
    """Return the members of a collection in an order of their own, anything else as it is."""
    if isinstance(value, list | tuple | set | frozenset):
        return repr(sorted(map(repr, value)))
    return repr(value) if isinstance(value, str | int | dict | None) else ""


if __name__ == "__main__":
    main()
