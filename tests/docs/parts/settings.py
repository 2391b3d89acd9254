"""The environment variables."""

from router.channel import Secret
from router.settings import variables
from tests.docs.parts.table import code, table


def write_variables() -> str:
    """Return the table of every `ROUTER_*` variable."""
    return table(
        ("variable", "meaning", "value", "default", "from a file"),
        (
            (
                code(variable.name),
                variable.description,
                variable.takes,
                _default(variable.default),
                code(f"{variable.name}_FILE") if variable.secret else "",
            )
            for variable in variables()
        ),
    )


def _default(value: object) -> str:
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, bool):
        return code(str(value).lower())
    return "" if value in {None, ()} else code(value)
