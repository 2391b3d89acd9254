"""The tables, the group-commit writer, and every query."""
