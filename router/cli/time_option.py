"""A time on the command line: a moment, or how long ago."""

import time
from datetime import UTC, datetime

import click

from router.core.loading.section import parse_duration


class PastTime(click.ParamType[float, str]):
    """The type of an option that names a time, read as epoch seconds."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the epoch seconds of an ISO 8601 time, or of so long ago."""
        if (ago := parse_duration(value)) is not None:
            return time.time() - ago
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            message = "write 45s, 10m, 24h or 7d for so long ago, or a time as ISO 8601"
            self.fail(message, param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
