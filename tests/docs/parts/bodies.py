"""What goes over HTTP in bodies, field by field."""

from typing import Any

from tests.docs.parts.kinds import default_of, tell
from tests.docs.parts.routes import components, read_site
from tests.docs.parts.table import code, table


def write_bodies() -> str:
    """Return a section for every object of the HTTP interface."""
    return "\n".join(
        _section(name, schema) for name, schema in sorted(components(read_site().document).items())
    )


def _section(name: str, schema: dict[str, Any]) -> str:
    text = " ".join(schema.get("description", "").split())
    required = schema.get("required", [])
    rows = [
        (
            code(field),
            tell(part),
            "always" if field in required else default_of(part),
            part.get("description", ""),
        )
        for field, part in schema["properties"].items()
    ]
    return f"#### {name}\n\n{text}\n\n{table(('field', 'value', 'default', 'what it is'), rows)}"
