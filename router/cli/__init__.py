"""The `router` command: one module a verb, imported when it is called."""

from importlib import import_module

import click

VERBS = {
    "serve": "Serve the webhook, decide and deliver.",
    "check": "Print every error and warning of a rules file.",
    "explain": "Show how the rules decide a payload, and why.",
    "test": "Run the tests of the rules.",
    "rules": "Show how often each rule matched.",
    "replay": "Decide past notifications again, and show what changed rules would change.",
    "schema": "Print the JSON Schema of rules.yaml, for completion in editors.",
    "plugins": "List the plugins, their channels, and errors in them.",
    "send": "Check the credentials of a channel, then send a test message.",
    "simulate": "Post sample payloads to a running router.",
    "deliveries": "List deliveries and their states; cancel waiting ones.",
    "channels": "List channels and their holds; pause and resume them.",
    "stop-sending": "Hold all channels; the webhook continues to accept.",
    "start-sending": "End the hold of stop-sending.",
    "recipients": "Import, export and show recipients and their devices.",
    "dead": "List, retry or drop dead letters.",
    "migrate": "Create or upgrade the tables of the database.",
    "backup": "Copy the database while the router runs.",
    "healthcheck": "Check that a running router is ready.",
}


class LazyGroup(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of a newcomer's first day."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return the verb's command."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"router.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 - every verb's module has one
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="notification-router", prog_name="router")
def main() -> None:
    """Route the notifications of CometChat to the channels that your rules name."""
