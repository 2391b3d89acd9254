"""The demonstration that `make run` gives."""

import re
import subprocess
from pathlib import Path

from router.samples import SAMPLE_NAMES
from tests.acceptance.router_process import free_port, run_router
from tests.docs.blocks import blocks
from tests.postgres import Databases

FEED = ("serve", "--sandbox", "--feed-samples", "--exit")


def feed() -> subprocess.CompletedProcess[str]:
    return run_router(*FEED, "--port", str(free_port()))


def without_what_time_changes(text: str) -> str:
    """Return the output less the times in payloads, the ids, and the boundaries mail is given."""
    return re.sub(r'"ttl":"\d+s"|"sentAt":"\d+"|\d{10,13}|once: [0-9a-f]+', "…", text)


def test_every_sample_goes_where_the_rules_send_it_and_twice_the_same_way() -> None:
    first, second = feed(), feed()
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + first.stderr
    assert f"{len(SAMPLE_NAMES)} of {len(SAMPLE_NAMES)} payloads" in first.stdout
    assert [name for name in SAMPLE_NAMES if f"{name}  (" not in first.stdout] == []
    assert without_what_time_changes(first.stdout) == without_what_time_changes(second.stdout)


def test_the_feed_shows_what_each_provider_would_get_and_no_secret_as_the_readme_says() -> None:
    result = feed()
    for host in ("fcm.googleapis.com", "api.push.apple.com", "push.example.com"):
        assert host in result.stdout
    for host in ("api.twilio.com", "hooks.slack.com", "mail.example"):
        assert host in result.stdout
    for text in ("Andrew Joseph is calling", "Missed call from", "New messages in Hiking Group"):
        assert text in result.stdout
    assert "PRIVATE KEY" not in result.stdout + result.stderr
    assert re.search(r"assertion=[^…]", result.stdout) is None
    shown = next(block for block in blocks("text") if block.page == "README.md")
    assert [line for line in shown.text.splitlines() if _whole(line) not in result.stdout] == []


def _whole(line: str) -> str:
    """Return a line as far as it is not cut short."""
    return line.removesuffix("…")


def on_postgres(url: str, *args: str) -> subprocess.CompletedProcess[str]:
    return run_router(*args, environ={"ROUTER_DATABASE": url})


def test_on_postgresql_it_asks_to_be_migrated_and_then_every_sample_goes_out(
    postgres: Databases,
) -> None:
    url = postgres.make_database(migrated=False)
    serve = (*FEED, "--port", str(free_port()))
    refused = on_postgres(url, *serve)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "the database has no tables yet; run: router migrate" in refused.stderr
    assert on_postgres(url, "migrate").returncode == 0
    fed = on_postgres(url, *serve)
    assert fed.returncode == 0, fed.stdout + fed.stderr
    assert f"{len(SAMPLE_NAMES)} of {len(SAMPLE_NAMES)} payloads" in fed.stdout
    (row,) = postgres.execute("SELECT count(*) FROM notifications", url=url)
    assert row["count"] >= len(SAMPLE_NAMES)
    postgres.drop_database(url)


def test_samples_never_go_to_real_people(tmp_path: Path) -> None:
    result = run_router("serve", "--feed-samples", cwd=tmp_path)
    assert result.returncode == 2
    assert "--feed-samples needs --sandbox" in result.stderr
    assert list(tmp_path.iterdir()) == []
