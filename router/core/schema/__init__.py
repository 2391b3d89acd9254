"""The rule language as JSON Schema, for completion in editors."""

from router.core.schema.file import write_schema

__all__ = ["write_schema"]
