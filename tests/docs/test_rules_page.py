"""The page on the rule language names every key, and no other."""

import re

from router.core.filters import LIMIT
from router.core.loading import enrichments, fields, file, rules, steps, throttles
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")


def keys_below(heading: str) -> list[str]:
    """Return what stands in the first column of a table."""
    [body] = re.findall(rf"^\| {heading} \|.*\n\|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    cells = re.findall(r"^\| (.*?) \|", body, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`(\w+)`", cell)]


def test_every_key_of_the_file_has_its_row() -> None:
    assert keys_below("key") == list(file._KEYS)
    assert keys_below("key of a rule") == list(rules._RULE)
    assert keys_below("key of a step") == list(steps._KEYS)
    assert keys_below("key of a throttle") == list(throttles.THROTTLE_KEYS)
    assert sorted(keys_below("key of `defaults`")) == sorted(rules._DEFAULTS)
    assert keys_below("word") == list(enrichments.ENRICH_KEYS)


def test_the_longest_text_is_that_of_the_code() -> None:
    assert f"longer than {LIMIT:,} characters" in PAGE


def test_every_type_of_a_field_has_its_row() -> None:
    assert keys_below("type of a field") == list(fields.FIELD_TYPES)
