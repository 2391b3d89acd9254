"""The verbs of the `router` command."""

import inspect
from collections.abc import Iterator

import click

from router.cli import VERBS, LazyGroup, main
from tests.docs.parts.table import code, table


def read_commands() -> Iterator[tuple[click.Command, click.Context]]:
    """Yield every command that does something, with the context that knows its name."""
    top = click.Context(main, info_name="router")
    for verb in VERBS:
        command = LazyGroup().get_command(top, verb)
        assert command is not None
        yield from _unfold(command, click.Context(command, info_name=verb, parent=top))


def _unfold(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    if not isinstance(command, click.Group):
        yield command, context
        return
    if command.invoke_without_command:
        yield command, context
    for name in command.list_commands(context):
        part = command.get_command(context, name)
        assert part is not None
        yield from _unfold(part, click.Context(part, info_name=name, parent=context))


def write_verbs() -> str:
    """Return a section for every command: how it is called, what it does, its options."""
    return "\n".join(_section(command, context) for command, context in read_commands())


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or "").replace("\f", "")
    section = f"### {context.command_path}\n\n```text\n{usage}\n```\n\n{text}\n"
    options = [_row(p, context) for p in command.params if isinstance(p, click.Option)]
    if options:
        section += f"\n{table(('option', 'value', 'meaning'), options)}"
    return section


def _row(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    takes = "" if option.is_flag else _takes(option, context)
    default = option.get_default(context)
    name = option.opts[-1]
    text = option.help
    assert text, f"{context.command_path} {name} has no help text; give it help="
    if option.show_default and default not in {None, ""}:
        text += f" Default: {code(default)}."
    return ", ".join(map(code, option.opts)), takes, text


def _takes(option: click.Option, context: click.Context) -> str:
    if isinstance(option.type, click.Choice):
        return ", ".join(map(code, option.type.choices))
    return code(option.make_metavar(context).lower())
