"""`router schema`: the rule language for editors."""

import click
import msgspec

from router.cli.environment import load_environment, warn
from router.core.schema import write_schema
from router.registry import load_plugins


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of rules.yaml, with the settings of every installed plugin.

    Save it as rules.schema.json beside the rules: YAML editors then complete keys and values.
    """
    registry = load_plugins(load_environment().plugins_dir)
    for line in registry.problems:
        warn(line)
    schema = msgspec.json.encode(write_schema(registry.schemas))
    click.echo(msgspec.json.format(schema, indent=2).decode())
