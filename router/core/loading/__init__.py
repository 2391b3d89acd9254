"""From the text of `rules.yaml` to a ruleset, or to everything that is wrong with it."""

from router.core.loading.grants import fixed_folder
from router.core.loading.include import LAST_GOOD_SUFFIX, Included, IncludeSource, Sources, Standing
from router.core.loading.load import LoadResult, hash_texts, load
from router.core.loading.references import Resolver, Unresolved
from router.core.loading.section import parse_duration
from router.core.loading.source_excerpt import render_excerpt
from router.core.loading.tests.cases import find_rules, has_tests, read_cases

__all__ = [
    "LAST_GOOD_SUFFIX",
    "IncludeSource",
    "Included",
    "LoadResult",
    "Resolver",
    "Sources",
    "Standing",
    "Unresolved",
    "find_rules",
    "fixed_folder",
    "has_tests",
    "hash_texts",
    "load",
    "parse_duration",
    "read_cases",
    "render_excerpt",
]
