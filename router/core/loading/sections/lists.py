"""`lists`: values by a name, for `{list: NAME}`."""

from collections.abc import Mapping

from router.core.loading.diagnostics import Diagnostics
from router.core.loading.scope import FileScope
from router.core.loading.section import Section, read_texts
from router.core.loading.yaml_nodes import ScalarNode


def read_lists(section: Section, report: Diagnostics) -> Mapping[str, tuple[ScalarNode, ...]]:
    """Return the values of each list by its name."""
    return {
        name: tuple(read_texts(entry.value, report, name))
        for name, entry in section.entries("lists").items()
    }


def warn_of_idle_lists(section: Section, scope: FileScope) -> None:
    """Report the lists that no test names."""
    for name, entry in section.entries("lists").items():
        if name not in scope.used:
            scope.report.warn(entry.key, f"no test uses the list {name}", "remove it")
