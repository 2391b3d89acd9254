"""From the text of `rules.yaml` to a ruleset, or to everything that is wrong with it."""

from router.core.loading.cases import find_rules, has_tests, read_cases
from router.core.loading.file import Loaded, hash_texts, load
from router.core.loading.grants import fixed_folder
from router.core.loading.included import LAST_GOOD
from router.core.loading.picture import picture
from router.core.loading.references import Resolver, Unresolved
from router.core.loading.section import parse_duration
from router.core.loading.sources import Included, Source, Sources, Standing

__all__ = [
    "LAST_GOOD",
    "Included",
    "Loaded",
    "Resolver",
    "Source",
    "Sources",
    "Standing",
    "Unresolved",
    "find_rules",
    "fixed_folder",
    "has_tests",
    "hash_texts",
    "load",
    "parse_duration",
    "picture",
    "read_cases",
]
