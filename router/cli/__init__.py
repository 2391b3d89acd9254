"""The `router` command: one module a verb, imported when it is called."""

from importlib import import_module

import click

VERBS = {
    "serve": "Serve the webhook, decide and deliver.",
    "check": "Say everything that is wrong with a rules file.",
    "explain": "Say what the rules make of a payload, and why.",
    "test": "Say whether the rules do what their tests say.",
    "rules": "Say how often each rule matched, and which never did.",
    "replay": "Say what rules would have made of what came, and what would change.",
    "schema": "Print the JSON Schema of rules.yaml, for completion in editors.",
    "plugins": "List the plugins, the channels they offer, and what is broken.",
    "send": "Check a channel, then send one test message over it.",
    "simulate": "Post sample payloads to a running router.",
    "deliveries": "List deliveries and how they went; cancel what waits.",
    "channels": "List channels and what holds them; pause and resume them.",
    "stop-sending": "Hold all channels at once; the webhook goes on accepting.",
    "start-sending": "Send again after stop-sending.",
    "recipients": "Import, export and show recipients and their devices.",
    "dead": "List, retry or drop dead letters.",
    "migrate": "Bring the database to this version of the router.",
    "backup": "Copy the database while the router runs.",
    "healthcheck": "Ask a running router whether it is well.",
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
    """Route CometChat's notifications to the channels your rules name."""
