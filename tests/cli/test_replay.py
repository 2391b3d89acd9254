"""`router replay` on real databases of each kind: what would go out, and what would change."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from router.cli import main, replay
from router.core.loading import hash_texts
from router.core.model.notification import derive
from router.core.model.payload import decode
from router.queue.ports import AcceptedPayload
from router.samples import read_sample, restamp
from router.store.db.database import Database
from router.store.log.log import DeliveryFilter, DeliveryLog
from router.store.log.rulesets import Rulesets
from router.store.log.stored_rules import StoredFile, StoredRules
from router.store.recipients.repository import ProfilePatch, Recipients
from router.store.schema.ids import IdGenerator
from tests.queue.test_sql_engine import SqlEngine

RULES = """\
version: 1
channels:
  app: {plugin: push, fcm: {service_account: "${file:/nowhere}"}}
  mail: {plugin: email, url: "${env:NO_SUCH_URL}"}
  room: {plugin: slack, url: "${env:NO_SUCH_ROOM}"}
rules:
  - {name: chat, when: {kind: message}, send: [room]}
  - {name: call, when: {kind: call}, send: [room]}
"""
CHANGED = RULES.replace("send: [room]}", "send: [mail, {channel: room, title: Hello}]}", 1).replace(
    "{kind: call}, send: [room]", "{kind: call}, drop: true"
)
NAMES = ("push_chat_one_on_one", "push_call_audio_initiated", "push_reaction_one_on_one")
UID = "cometchat-uid-2"
HOUR = 3600.0


async def seed(
    url: str, kept: str, names: Sequence[str], ago: float, included: str = ""
) -> list[str]:
    """Keep rules as in force, and accept samples some time ago; return the ids."""
    database = await Database.open(url)
    try:
        journal, minter = SqlEngine.over(database).journal, IdGenerator(lambda: 0.5)
        await Recipients(database).put(
            UID, ProfilePatch(contacts={"email": "ann@example.com"}), "app123"
        )
        if kept:
            file = StoredFile(file="teams/a.yaml", text=included, version=hash_texts(included))
            stored = StoredRules(
                version=hash_texts(kept),
                text=kept,
                file="r.yaml",
                included=(file,) if included else (),
                loaded_at=1.0,
            )
            await Rulesets(database).keep(stored)
        ids = []
        for number, name in enumerate(names):
            now = time.time() - ago + number / 100
            body = msgspec.json.encode(restamp(read_sample(name), now=now, story=f"{ago}-{number}"))
            told = derive(decode(body), id=minter.mint(now), accepted_at=now)
            await journal.append(AcceptedPayload(notification=told, body=body, window=HOUR))
            ids.append(told.id)
        return ids
    finally:
        await database.close()


@pytest.fixture
def run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(CHANGED)
    monkeypatch.setenv("ROUTER_DATABASE", database_url)
    monkeypatch.setenv("ROUTER_RULES", "rules.yaml")
    return lambda *args: CliRunner().invoke(main, ["replay", *args])


def test_a_difference_shows_each_message_that_changes_and_sums_up(
    run: Callable[..., Result], database_url: str
) -> None:
    chat, call, _ = asyncio.run(seed(database_url, RULES, NAMES, ago=60))
    result = run("--diff")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith("20")] == [
        "  ~ room   (rule chat)",
        '      title "Andrew Joseph" → "Hello"',
        "  + mail to a…@example.com   (rule chat)",
        "  - room   (rule call)",
        "3 notifications, 2 changed",
        "rule\tchannel\tremoved\tadded\taltered",
        "call\troom\t1\t0\t0",
        "chat\tmail\t0\t1\t0",
        "chat\troom\t0\t0\t1",
    ]
    assert [line.split("Z  ")[1] for line in lines if line.startswith("20")] == [
        f"message for {UID}   {chat}",
        f"call for {UID}   {call}",
    ]
    assert "ann@example.com" not in result.output
    assert run("--diff", "--exit-code").exit_code == 1


def test_without_a_difference_all_that_would_go_out_is_shown(
    run: Callable[..., Result], database_url: str
) -> None:
    asyncio.run(seed(database_url, "", NAMES, ago=60))
    lines = run().stdout.splitlines()
    assert [line for line in lines if not line.startswith("20")] == [
        '  → mail to a…@example.com, now: "Andrew Joseph"   (rule chat)',
        '  → room, now: "Hello"   (rule chat)',
        "  ✗ nothing goes out",
        "  ✗ nothing goes out",
        "3 notifications",
        "rule\tchannel\tmessages",
        "chat\tmail\t1",
        "chat\troom\t1",
    ]


def test_json_is_one_document_whatever_is_shown(
    run: Callable[..., Result], database_url: str
) -> None:
    ids = asyncio.run(seed(database_url, RULES, NAMES, ago=60))
    told = json.loads(run("--diff", "--format", "json").stdout)
    assert (told["version"], told["against"]) == (hash_texts(CHANGED), hash_texts(RULES))
    assert [each["notification"] for each in told["notifications"]] == ids[:2]
    assert told["notifications"][0]["changes"][1] == {
        "sign": "+",
        "rule": "chat",
        "channel": "mail",
        "address": "a…@example.com",
        "operation": "send",
        "differences": [],
    }
    assert told["summary"]["ways"][0] == {
        "rule": "call",
        "channel": "room",
        "removed": 1,
        "added": 0,
        "altered": 0,
    }
    for limit, shown in ((0, 0), (1, 1), (2, 2)):
        cut = json.loads(run("--diff", "--format", "json", "--limit", str(limit)).stdout)
        assert len(cut["notifications"]) == cut["summary"]["shown"] == shown
        assert (cut["summary"]["notifications"], cut["summary"]["changed"]) == (3, 2)
    assert "3 notifications, 2 changed, 1 not shown" in run("--diff", "--limit", "1").stdout
    everything = json.loads(run("--format", "json").stdout)
    assert [len(each["deliveries"]) for each in everything["notifications"]] == [2, 0, 0]
    assert (everything["against"], everything["summary"]["changed"]) == (None, None)


def test_only_what_was_accepted_in_time_is_replayed_page_by_page(
    run: Callable[..., Result], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "NOTIFICATIONS_PER_PAGE", 2)
    for ago in (3 * HOUR, 2 * HOUR - 60, 60):
        asyncio.run(seed(database_url, RULES, NAMES, ago=ago))
    for span, count in (
        (("--since", "4h"), 9),
        (("--since", "2h"), 6),
        ((), 3),
        (("--since", "4h", "--until", "1h"), 6),
        (("--since", "2000-01-01", "--until", "2000-01-02T00:00+01:00"), 0),
    ):
        told = json.loads(run(*span, "--format", "json").stdout)
        assert len(told["notifications"]) == count
        accepted = [each["accepted_at"] for each in told["notifications"]]
        assert accepted == sorted(accepted)


def test_nothing_is_written_and_what_is_done_already_hides_nothing(
    run: Callable[..., Result], database_url: str
) -> None:
    once = RULES.replace("[room]", "[{channel: room, once_per: message}]", 1)
    Path("rules.yaml").write_text(once)
    names = ("push_chat_one_on_one", "push_call_cancelled", "push_call_audio_initiated")
    asyncio.run(seed(database_url, RULES, names, ago=60))
    before = asyncio.run(read_log(database_url))
    first, second = (run("--format", "json").stdout for _ in range(2))
    assert first == second
    assert len(json.loads(first)["notifications"][0]["deliveries"]) == 1
    assert asyncio.run(read_log(database_url)) == before


async def read_log(url: str) -> tuple[object, ...]:
    database = await Database.open(url)
    try:
        log = DeliveryLog(database)
        return (await log.notifications()).items, (await log.deliveries(DeliveryFilter())).items
    finally:
        await database.close()


def test_two_files_can_be_compared_and_the_same_one_changes_nothing(
    run: Callable[..., Result], database_url: str
) -> None:
    asyncio.run(seed(database_url, "", NAMES, ago=60))
    Path("old.yaml").write_text(RULES)
    assert "3 notifications, 2 changed" in run("--diff", "--against", "old.yaml").stdout
    same = run("--diff", "--against", "old.yaml", "--rules", "old.yaml", "--exit-code")
    assert (same.exit_code, same.stdout) == (0, "3 notifications, 0 changed\n")


def test_rules_in_several_files_are_compared_whole(
    run: Callable[..., Result], database_url: str
) -> None:
    main = f"include: [teams/*.yaml]\n{RULES}"
    owned = "owner: team\nrules: [{name: calls, when: {kind: call}, send: [mail]}]\n"
    Path("teams").mkdir()
    Path("teams/a.yaml").write_text(owned)
    Path("rules.yaml").write_text(main)
    asyncio.run(seed(database_url, main, NAMES, ago=60, included=owned))
    assert run("--diff", "--exit-code").exit_code == 0
    Path("teams/a.yaml").write_text(owned.replace("[mail]", "[{channel: mail, title: x}]"))
    lines = run("--diff").stdout.splitlines()
    assert lines[1] == "  ~ mail to a…@example.com   (rule team/calls)"
    assert lines[-1] == "team/calls\tmail\t0\t0\t1"
    Path("teams/a.yaml").write_text(owned.replace("kind", "kid"))
    broken = run("--diff")
    assert broken.exit_code == 1
    assert 'unknown field "kid"' in broken.stderr


def test_without_rules_in_force_it_says_what_to_compare_with(
    run: Callable[..., Result], database_url: str
) -> None:
    missing = run("--diff")
    assert missing.exit_code == 1
    assert "the database holds no rules: none have been in force; name a file" in missing.stderr
    asyncio.run(seed(database_url, RULES.replace("kind", "kid"), (), ago=60))
    broken = run("--diff")
    assert broken.exit_code == 1
    assert 'r.yaml (in force):7:25: error: unknown field "kid"' in broken.stderr
    assert "--against FILE" in broken.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--since", "yesterday"), "write 45s, 10m, 24h or 7d"),
        (("--against", "rules.yaml"), "need --diff"),
        (("--exit-code",), "need --diff"),
        (("--rules", "no-such.yaml"), "does not exist"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(RULES)
    result = CliRunner().invoke(main, ["replay", *options])
    assert result.exit_code == 2
    assert says in result.stderr


def test_what_somebody_wrote_does_nothing_to_a_terminal(
    run: Callable[..., Result], database_url: str
) -> None:
    asyncio.run(seed(database_url, RULES, NAMES[:1], ago=60))
    Path("rules.yaml").write_text(RULES.replace("[room]", '[{channel: room, title: "a\\eb"}]'))
    assert '  → room, now: "a\ufffdb"   (rule chat)' in run().stdout
    assert 'title "Andrew Joseph" → "a\ufffdb"' in run("--diff").stdout


def test_a_bad_file_is_told_as_check_tells_it(run: Callable[..., Result]) -> None:
    Path("rules.yaml").write_text(RULES.replace("kind: call", "kind: cal"))
    result = run()
    assert result.exit_code == 1
    assert 'unknown value "cal" for kind; did you mean "call"?' in result.stderr
