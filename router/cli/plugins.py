"""`router plugins`: what was found, where it came from, and what is broken."""

import sys

import click

from router.cli.environment import load_environment, warn
from router.cli.tables import show_list
from router.registry import load_plugins


@click.command(name="plugins")
def command() -> None:
    """List the plugins and their channels; exit status 1 if a plugin is broken."""
    registry = load_plugins(load_environment().plugins_dir)
    rows = [
        (
            plugin.name,
            ", ".join(plugin.channels),
            plugin.version,
            plugin.source,
            f"broken: {plugin.error}" if plugin.error else "ok",
        )
        for plugin in registry.plugins
    ]
    show_list(("plugin", "channels", "version", "source", "state"), rows)
    for line in registry.problems:
        warn(line)
    sys.exit(1 if registry.problems else 0)
