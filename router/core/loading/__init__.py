"""From the text of `rules.yaml` to a ruleset, or to everything that is wrong with it."""

from router.core.loading.cases import find_rules, has_tests, read_cases
from router.core.loading.file import Loaded, hash_text, load
from router.core.loading.picture import picture
from router.core.loading.references import Resolver
from router.core.loading.section import parse_duration

__all__ = [
    "Loaded",
    "Resolver",
    "find_rules",
    "has_tests",
    "hash_text",
    "load",
    "parse_duration",
    "picture",
    "read_cases",
]
