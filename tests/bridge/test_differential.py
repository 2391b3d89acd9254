"""Over every service that Apprise has enabled, the bridge sends what stock Apprise sends.

The URLs come from the templates that Apprise publishes about itself: with fixed targets, with
`{to}`, with `#`, `@`, spaces and percent signs in targets, and with the options that every
service takes. Both sides run in processes of their own, without a network.
"""

import re
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote_plus

import msgspec
import pytest
from apprise.manager_plugins import NotificationManager

from tests import ROOT, TESTDATA
from tests.bridge.differential.run import Outcome, Report, Sent
from tests.bridge.differential.url_templates import Case, name, services

DIFFERENCES = msgspec.json.decode((TESTDATA / "apprise_differences.json").read_bytes())
MOST_DIFFERENCES = 11
"""Headers that may differ, and services whose URL the bridge completes."""

REFUSED = (
    "check: url: reaches several at once",
    "check: url: the plugin of the provider rejects",
    "check: url: without {to}",
    "check: url: {to} stands where the host",
    "check: url: {to} stands beside other targets",
    "check: url: posts in public",
    "check: url: what follows the # would be left out",
    "check: url: the name of a file",
)
"""What `check` says against a URL that stock Apprise would send to, or fail at."""

Triple = tuple[Case, Outcome, Outcome]


def _run(side: str, given: bytes = b"") -> bytes:
    """Return what one side has found."""
    call = [sys.executable, "-m", "tests.bridge.differential.run", side]
    return subprocess.run(call, input=given, cwd=ROOT, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def triples() -> list[Triple]:
    """Each case with the outcomes of the bridge and of stock Apprise."""
    found = _run("bridge")
    bridge = msgspec.json.decode(found, type=Report)
    stock = msgspec.json.decode(_run("stock", found), type=Report)
    return list(zip(bridge.cases, bridge.outcomes, stock.outcomes, strict=True))


def _sent(triples: list[Triple]) -> Iterator[Triple]:
    """Yield the cases in which the bridge made requests, or should have."""
    for case, ours, stock in triples:
        if (not case.address and not ours.refused.startswith("check:")) or ours.requests:
            yield case, ours, stock


def _messages(outcome: Outcome) -> list[Sent]:
    """Return the requests of a send, without those that only one side makes at that time."""
    left_out = tuple(DIFFERENCES["requests"])
    return [request for request in outcome.requests if not request.url.endswith(left_out)]


def test_each_service_gets_the_same_requests(triples: list[Triple]) -> None:
    wrong = [
        (case.service, case.url, case.address)
        for case, ours, stock in _sent(triples)
        if [(r.method, r.url, r.body) for r in _messages(ours)]
        != [(r.method, r.url, r.body) for r in _messages(stock)]
    ]
    assert wrong == []


def test_other_differences_are_listed(triples: list[Triple]) -> None:
    differing = Counter(
        header
        for _, ours, stock in _sent(triples)
        for mine, theirs in zip(_messages(ours), _messages(stock), strict=True)
        for header in {n for n, _ in mine.headers.items() ^ theirs.headers.items()}
    )
    assert set(differing) <= set(DIFFERENCES["headers"])
    listed = sum(len(DIFFERENCES[kind]) for kind in ("headers", "options", "requests"))
    assert listed <= MOST_DIFFERENCES


def test_services_with_connections_of_their_own_have_the_same_targets(
    triples: list[Triple],
) -> None:
    wrong = [
        (case.service, case.url, case.address, ours.plugin, stock.plugin)
        for case, ours, stock in triples
        if ours.plugin and ours.plugin != stock.plugin
    ]
    assert wrong == []


def test_what_is_refused_is_refused_for_a_reason(triples: list[Triple]) -> None:
    wrong = [
        (case.service, case.url, ours.refused)
        for case, ours, _ in triples
        if ours.refused.startswith("check:") and not ours.refused.startswith(REFUSED)
    ]
    assert wrong == []


def test_an_address_that_is_refused_reaches_nobody(triples: list[Triple]) -> None:
    refused = [(case, ours) for case, ours, _ in triples if case.address and "addr" in ours.refused]
    assert refused
    assert [case.url for case, ours in refused if ours.requests] == []


def test_each_service_is_compared_but_for_those_that_are_listed(triples: list[Triple]) -> None:
    compared = {c.service for c, ours, stock in _sent(triples) if ours.requests and stock.requests}
    assert {name(plugin) for plugin in services()} - compared == set(DIFFERENCES["not_compared"])


def test_an_address_is_in_the_requests_for_it(triples: list[Triple]) -> None:
    found = [
        (case.service, case.url, case.address)
        for case, ours, _ in triples
        if case.address and ours.done and _letters(case.address) not in _letters_sent(ours)
    ]
    assert {service for service, _, _ in found} == set(DIFFERENCES["addresses"])


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _letters_sent(outcome: Outcome) -> str:
    """Return the letters and digits of all requests, read as what they may be encoded in."""
    sent = [f"{r.url} {r.headers} {r.body.decode('latin-1')}" for r in outcome.requests]
    texts = [*sent, *map(unquote_plus, sent), *(text.replace("\\u002b", "+") for text in sent)]
    for text in re.findall(r"[A-Za-z0-9+/=]{60,}", " ".join(texts)):
        with suppress(ValueError):
            texts.append(b64decode(text).decode())
    return _letters(" ".join(texts))


def test_the_readme_counts_the_services_that_work(triples: list[Triple]) -> None:
    working = {case.service for case, _, _ in triples}
    known = set(NotificationManager().plugins(include_disabled=True))
    words = f"{len(known)} services Apprise\nknows, of which {len(working)} work as installed"
    assert words in (ROOT / "README.md").read_text()
