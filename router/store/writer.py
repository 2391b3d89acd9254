"""The group-commit writer: whatever came while the last commit ran is the next one."""


class Writer:
    """The one connection that writes."""
