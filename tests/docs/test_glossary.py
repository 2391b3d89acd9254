"""The glossary and the public names use the same words."""

import re
from pathlib import Path
from typing import get_args

import router
from router.core.model.delivery import DeliveryState
from router.core.model.feed import Feed
from router.core.model.notification import Kind
from router.core.model.outcome import Outcome

GLOSSARY = (Path(__file__).parents[2] / "docs/glossary.md").read_text(encoding="utf-8")
WORDS = re.findall(r"^\| ([a-z ]+?) \|", GLOSSARY, re.MULTILINE)
OUTSIDE = {"addresserror", "limits", "secret", "settings", "register", "hookimpl"}
"""Public names that need no entry: an error, and words of Python's and pluggy's own."""


def test_every_public_name_is_a_word_of_the_glossary_or_an_outcome() -> None:
    outcomes = {outcome.__name__.lower() for outcome in get_args(Outcome)}
    names = {name.lower() for name in router.__all__} - outcomes - OUTSIDE
    assert names <= set(WORDS)


def test_the_glossary_lists_every_feed_kind_and_outcome() -> None:
    outcomes = [outcome.__name__.lower() for outcome in get_args(Outcome)]
    for word in (*get_args(Feed), *get_args(Kind), *outcomes):
        assert re.search(rf"\b{word}\b", GLOSSARY), word


def test_failed_is_no_state() -> None:
    assert "failed" not in get_args(DeliveryState)
