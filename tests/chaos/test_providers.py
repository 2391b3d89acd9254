"""Providers that do anything but answer: each ends as it should, and no other channel feels it."""

import asyncio
import random
import statistics
from pathlib import Path

import pytest

from tests.chaos.certificates import Authority
from tests.chaos.conftest import LONG
from tests.chaos.database_rows import read_rows
from tests.chaos.faulty_providers import Misfit, all_of_them, serving
from tests.chaos.load import Load
from tests.chaos.router_under_load import RULES, STOPPED_WITHIN, Trial, on_trial
from tests.conftest import url_of

SECONDS = 60.0 if LONG else 10.0
NOBODY = "nobody"
MOST = 350 << 10
"""KiB of memory the router may take: the budget with 100,000 deliveries."""
SLOWER = 0.3
"""Seconds by which a healthy channel may be slower, on a busy machine."""

CHANNEL = '  {name}: {{{{plugin: webhook, url: "{url}", timeout: 2, concurrency: 4}}}}\n'
RULE = (
    "  - {{{{name: {name}, send: [{name}],"
    " when: {{{{receiver: {{{{starts_with: {name}-}}}}}}}}}}}}\n"
)
TRIES = """
    SELECT d.channel, a.outcome, a.status, a.reason, count(*)
    FROM attempts a JOIN deliveries d ON d.id = a.delivery GROUP BY 1, 2, 3, 4
"""


@pytest.mark.long
async def test_misfits_end_as_they_should_and_no_other_channel_feels_them(
    tmp_path: Path, dice: random.Random
) -> None:
    authority = Authority(tmp_path)
    misfits = all_of_them(authority)
    async with serving(misfits) as urls:
        urls[NOBODY] = "https://nobody.invalid/notify"
        async with on_trial(
            "misfits",
            tmp_path,
            url_of(tmp_path / "router.db"),
            dice,
            rules=rules_with(urls),
            pause=0.3,
            more={"SSL_CERT_FILE": str(authority.file)},
        ) as trial:
            await asyncio.sleep(3 + SECONDS / 5)
            alone = _lags(trial, since=0)
            names = list(urls)
            others = Load(trial.load.url, clients=len(names), pause=0.2, name=names.__getitem__)
            posting = asyncio.create_task(others.run())
            since = len(trial.load.accepted)
            await asyncio.sleep(SECONDS)
            together = _lags(trial, since)
            others.over.set()
            await posting
            trial.load.over.set()
            await asyncio.sleep(3)
            tries = await tries_of(trial)
            peak = _peak(trial.process.pid)
            took = await trial.end()
    print(  # noqa: T201 - the record of the run, shown by pytest -s
        f"\nmisfits: {len(alone)} deliveries alone {statistics.median(alone):.3f} s, p95"
        f" {_p95(alone):.3f} s; {len(together)} beside {len(others.accepted)} to misfits"
        f" {statistics.median(together):.3f} s, p95 {_p95(together):.3f} s;"
        f" peak {peak >> 10} MiB; stopped in {took:.1f} s"
    )
    misfits[NOBODY] = Misfit(misfits["tls"].behave, "retry", None, "the host name was not found")
    for name, misfit in misfits.items():
        assert set(tries[name]) == {(misfit.outcome, misfit.status, misfit.reason)}, name
    assert set(tries["gateway"]) == {("delivered", 204, "")}
    arrived = [len(arrivals) for arrivals in trial.receiver.arrivals.values()]
    assert arrived == [1] * len(trial.load.accepted)
    assert trial.load.unavailable == trial.load.unreachable == 0
    assert others.unavailable == others.unreachable == 0
    assert _p95(together) < _p95(alone) + SLOWER
    assert peak < MOST
    assert took < STOPPED_WITHIN


def rules_with(urls: dict[str, str]) -> str:
    """Return rules with a channel for each provider; a recipient is called after theirs."""
    channels, rules = RULES.split("rules:\n")
    channels += "".join(CHANNEL.format(name=name, url=url) for name, url in urls.items())
    cases = "".join(RULE.format(name=name) for name in urls)
    rules = rules.replace("send:", "when: {{receiver: {{starts_with: uid-}}}}\n    send:")
    return f"{channels}rules:\n{cases}{rules}"


async def tries_of(trial: Trial) -> dict[str, dict[tuple[str, int | None, str], int]]:
    """Return how often each channel's tries had which outcome, status and reason."""
    found: dict[str, dict[tuple[str, int | None, str], int]] = {}
    for channel, outcome, status, reason, count in await read_rows(trial.database, TRIES):
        found.setdefault(channel, {})[outcome, status, reason] = count
    return found


def _lags(trial: Trial, since: int) -> list[float]:
    """Return the seconds from acceptance to arrival of what was accepted, but for the last."""
    arrived = {arrivals[0].text: arrivals[0].began for arrivals in trial.receiver.arrivals.values()}
    accepted = list(trial.load.accepted_at.items())[since:-20]
    return [arrived.get(text, float("inf")) - at for text, at in accepted]


def _p95(lags: list[float]) -> float:
    return statistics.quantiles(lags, n=20)[-1]


def _peak(pid: int) -> int:
    """Return the most memory a process has had, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
