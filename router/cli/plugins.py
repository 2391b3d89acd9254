"""`router plugins`: what was found, where it came from, and what is broken."""

import sys

import click
from rich.console import Console
from rich.table import Table

from router.cli.offline import load_environment, warn
from router.registry import load_plugins


@click.command(name="plugins")
def command() -> None:
    """List the plugins and the channels they offer; exit status 1 when one is broken."""
    registry = load_plugins(load_environment().plugins_dir)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("plugin", "channels", "version", "source", "state"):
        table.add_column(heading, overflow="fold")
    for plugin in registry.plugins:
        state = f"broken: {plugin.error}" if plugin.error else "ok"
        channels = ", ".join(plugin.channels)
        table.add_row(plugin.name, channels, plugin.version, plugin.source, state)
    Console().print(table)
    for line in registry.problems:
        warn(line)
    sys.exit(1 if registry.problems else 0)
