"""The page on the rule language names every key, and its laws hold."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from router.core.decide.decide import decide
from router.core.loading import include
from router.core.loading.load import _KEYS
from router.core.loading.sections import enrich, fields, rules, send, throttle
from router.core.loading.tests.events import plain
from router.core.loading.yaml_document import read_document
from router.core.rules.ruleset import Ruleset
from router.core.templates.filters import MAX_RESULT_LENGTH
from router.registry import load_plugins
from router.rulebook.files import read_rules
from tests.core.notifications import DETAILS, envelope, notify, push
from tests.core.rulesets import ANN, decided, rulebook, world
from tests.docs.blocks import ROOT, first_column

PAGE = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")


def test_every_key_of_the_file_has_its_row() -> None:
    assert first_column(PAGE, "key") == list(_KEYS)
    assert first_column(PAGE, "key of an included file") == list(include.INCLUDED_FILE_KEYS)
    assert first_column(PAGE, "key of a rule") == list(rules._RULE)
    assert first_column(PAGE, "key of a step") == list(send._KEYS)
    assert first_column(PAGE, "key of a throttle") == list(throttle.THROTTLE_KEYS)
    assert sorted(first_column(PAGE, "key of `defaults`")) == sorted(rules._DEFAULTS)
    assert first_column(PAGE, "word") == list(enrich.ENRICH_KEYS)


def test_hours_do_what_the_page_says(tmp_path: Path) -> None:
    section = PAGE.split("### Hours\n")[1]
    rules = tmp_path / "rules.yaml"
    rules.write_text(section.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    ruleset = read_rules(rules, load_plugins().schemas, sandbox=True).loaded.ruleset
    assert ruleset is not None
    rows = re.findall(r"^\| (\w{3} 20.*?) \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    assert len(rows) == 5
    for comes, app, mail in rows:
        moment = datetime.strptime(comes, DAY_AND_TIME).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        assert goes(moment, ruleset) == {"app": app, "mail": mail}, comes


DAY_AND_TIME = "%a %Y-%m-%d %H:%M"


def goes(moment: datetime, ruleset: Ruleset) -> dict[str, str]:
    """Return in the page's words what becomes of a message to Ann."""
    at = moment.timestamp()
    notification = structs.replace(push(), accepted_at=at, sent_at=at)
    said = {"app": "not: `hours` is `office`", "mail": "not: `hours` is `office`"}
    for planned in decide(notification, ruleset, world(ANN), at).deliveries:
        due = datetime.fromtimestamp(planned.due_at, moment.tzinfo)
        said[planned.channel] = "at once" if due == moment else f"{due:{DAY_AND_TIME}}"
        if planned.state == "suppressed":
            said[planned.channel] = f"not: suppressed, `{planned.reason}`"
    return said


def test_the_longest_text_is_that_of_the_code() -> None:
    assert f"longer than {MAX_RESULT_LENGTH:,} characters" in PAGE


def test_every_type_of_a_field_has_its_row() -> None:
    assert first_column(PAGE, "type of a field") == list(fields.FIELD_TYPES)


def read_laws() -> list[tuple[str, str, str, bool]]:
    """Return the laws of matching: what each says, a condition, a payload, whether it holds."""
    [body] = re.findall(r"^\| law \|.*\n\|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = [[cell.strip() for cell in line.split(" | ")] for line in body.splitlines()]
    return [
        (law.lstrip("| "), when.strip("`"), payload.strip("`"), holds.rstrip("| ") == "yes")
        for law, when, payload, holds in rows
    ]


@pytest.mark.parametrize(("law", "when", "payload", "holds"), read_laws())
def test_a_law_of_matching_holds_as_the_page_says(
    law: str, when: str, payload: str, *, holds: bool
) -> None:
    node, problems = read_document(payload, "payload")
    assert problems == [], law
    assert node is not None
    details = plain(node)
    assert isinstance(details, dict)
    ruleset = rulebook(f"rules: [{{name: law, when: {when}, send: [room]}}]")
    told = DETAILS | {"sender": "bob", "body": "hello"} | details
    notification = notify(envelope({"to": {"uid": "ann"}, "notificationDetails": told}))
    assert bool(decided(notification, ruleset).matched) is holds, law
