"""Addresses are kept in the form that is sent to, or refused where they are registered."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.core.model.facts import Contact
from router.core.model.payload import Json
from tests.web.harness import APP, RULES, Harness, open_harness

Node = dict[str, Any]
COUNTRIES = RULES + "apps: {british: {country: GB}}\ndefaults: {country: US}\n"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, rules=RULES) as harness:
        yield harness


@pytest.fixture
async def countries(tmp_path: Path) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, rules=COUNTRIES) as harness:
        yield harness


async def put(harness: Harness, uid: str = "bob", app: str = "app", **body: Json) -> httpx.Response:
    async with harness.client(APP) as client:
        content = json.dumps({"appId": app, **body})
        return await client.put(f"/v1/recipients/{uid}", content=content)


async def take(harness: Harness, *lines: Json, query: str = "?appId=app") -> Node:
    body = "\n".join(json.dumps(line) for line in lines)
    async with harness.client(APP) as client:
        answer = await client.post(f"/v1/recipients/import{query}", content=body)
    assert answer.status_code == 200
    return dict(answer.json())


async def kept(
    harness: Harness, uid: str = "bob", app: str = "app"
) -> dict[str, tuple[str, str, str]]:
    recipient = await harness.site.recipients.get(uid, app)
    contacts: tuple[Contact, ...] = recipient.contacts if recipient else ()
    return {each.kind: (each.address, each.raw, each.country) for each in contacts}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("(212) 555-0100", "has no country code"),
        ("07531669965", "has no country code"),
        ("0044 7700 900123", "has no country code"),
        ("2125550199", "has no country code"),
        ("12345", "has no country code"),
        ("bob", "is not a phone number"),
    ],
)
async def test_a_number_that_stays_ambiguous_is_refused_with_the_remedy(
    harness: Harness, address: str, reason: str
) -> None:
    answer = await put(harness, contacts={"sms": address})
    assert answer.status_code == 400
    (problem,) = answer.json()["problems"]
    assert problem["path"] == "$.contacts.sms"
    assert problem["reason"].startswith(reason)
    assert "write it with + and the country code" in problem["reason"]
    assert address not in answer.text
    assert await kept(harness) == {}


async def test_a_number_is_kept_with_the_text_it_was_read_from(harness: Harness) -> None:
    answer = await put(harness, country="US", contacts={"sms": "(212) 555-0100"})
    assert answer.status_code == 200
    assert answer.json()["country"] == "US"
    assert answer.json()["contacts"] == {"sms": "+1…00"}
    assert answer.json()["registered"] == {"sms": {"raw": "(2…00", "country": "US"}}
    assert await kept(harness) == {"sms": ("+12125550100", "(212) 555-0100", "US")}
    await put(harness, contacts={"sms": "+1 212 555 0100"})
    assert await kept(harness) == {"sms": ("+12125550100", "+1 212 555 0100", "")}
    await put(harness, contacts={"sms": "+12125550100"})
    assert await kept(harness) == {"sms": ("+12125550100", "", "")}


async def test_a_recipient_s_country_counts_from_then_on(harness: Harness) -> None:
    assert (await put(harness, country="GB")).status_code == 200
    await put(harness, contacts={"sms": "07531669965"})
    assert await kept(harness) == {"sms": ("+447531669965", "07531669965", "GB")}
    await put(harness, country=None)
    assert (await put(harness, contacts={"sms": "07531669965"})).status_code == 400


@pytest.mark.parametrize(
    ("app", "number", "address"),
    [
        ("british", "07531669965", "+447531669965"),
        ("other", "2125550100", "+12125550100"),
        ("other", "0044 7700 900123", ""),
        ("british", "0044 7700 900123", "+447700900123"),
    ],
)
async def test_an_app_has_a_country_and_the_file_one_for_all(
    countries: Harness, app: str, number: str, address: str
) -> None:
    answer = await put(countries, app=app, contacts={"sms": number})
    assert (answer.status_code == 200) is bool(address)
    assert [contact[0] for contact in (await kept(countries, app=app)).values()] == [address][
        : bool(address)
    ]


async def test_the_country_of_the_one_app_counts_where_none_is_named(countries: Harness) -> None:
    await put(countries, "ann", "british")
    async with countries.client(APP) as client:
        body = json.dumps({"contacts": {"sms": "07531669965"}})
        await client.put("/v1/recipients/bob", content=body)
    assert (await kept(countries, app="british"))["sms"][0] == "+447531669965"


async def test_a_mailbox_gets_its_domain_in_ascii_or_is_refused(harness: Harness) -> None:
    await put(harness, contacts={"email": "jürgen@bücher.example"})
    form = "jürgen@xn--bcher-kva.example"
    assert await kept(harness) == {"email": (form, "jürgen@bücher.example", "")}
    for address in ("bob", "a@b@c", "Bob <b@x.com>", "a@x.com,b@x.com", "b@x..com", "b@-x.com"):
        answer = await put(harness, contacts={"email": address})
        assert answer.status_code == 400, address
        assert [problem["path"] for problem in answer.json()["problems"]] == ["$.contacts.email"]
    assert await kept(harness) == {"email": (form, "jürgen@bücher.example", "")}


async def test_all_that_is_wrong_is_told_at_once(harness: Harness) -> None:
    answer = await put(
        harness,
        contacts={"sms": "2125550100", "email": "bob", "fax": "1"},
        country="UK",
        locale="!",
    )
    told = {problem["path"]: problem["reason"] for problem in answer.json()["problems"]}
    assert sorted(told) == [
        *("$.contacts.email", "$.contacts.fax", "$.contacts.sms", "$.country", "$.locale")
    ]
    assert 'did you mean "GB"?' in told["$.country"]


async def test_an_import_tells_every_bad_address_and_takes_the_others(harness: Harness) -> None:
    await put(harness, "eve", country="GB")
    told = await take(
        harness,
        {"uid": "ann", "contacts": {"sms": "(212) 555-0100"}, "country": "US"},
        {"uid": "bob", "contacts": {"sms": "2125550100", "email": "b@x"}},
        {"uid": "cat", "contacts": {"sms": "+1 212 555 0100", "email": "c@@x"}, "locale": "!"},
        {"uid": "dan", "country": "DE"},
        {"uid": "dan", "contacts": {"sms": "030 123456"}},
        {"uid": "eve", "contacts": {"sms": "07531669965"}},
    )
    assert (told["lines"], told["changed"], told["bad"]) == (6, 4, 2)
    assert [(problem["line"], problem["path"]) for problem in told["problems"]] == [
        (2, "$.contacts.sms"),
        (3, "$.locale"),
        (3, "$.contacts.email"),
    ]
    assert await kept(harness, "ann") == {"sms": ("+12125550100", "(212) 555-0100", "US")}
    assert await kept(harness, "bob") == {}
    assert await kept(harness, "dan") == {"sms": ("+4930123456", "030 123456", "DE")}
    assert await kept(harness, "eve") == {"sms": ("+447531669965", "07531669965", "GB")}


async def test_a_second_import_of_the_same_changes_nothing(harness: Harness) -> None:
    lines: list[Json] = [
        {"uid": "ann", "contacts": {"sms": "(212) 555-0100"}, "country": "US"},
        {"uid": "bob", "contacts": {"sms": "+1 212 555 0100", "email": "b@bücher.example"}},
    ]
    assert (await take(harness, *lines, query="?appId=app&dryRun=true"))["changed"] == 2
    assert (await take(harness, *lines))["changed"] == 2
    assert (await take(harness, *lines))["unchanged"] == 2


async def test_an_export_says_how_a_number_was_read(harness: Harness) -> None:
    told: Json = {"sms": {"raw": "(212) 555-0100", "country": "US"}}
    line: Json = {"uid": "bob", "contacts": {"sms": "+12125550100"}, "registered": told}
    assert (await take(harness, line))["changed"] == 1
    assert await kept(harness) == {"sms": ("+12125550100", "(212) 555-0100", "US")}
    assert (await take(harness, line))["unchanged"] == 1
    wrong: Json = {"uid": "bob", "registered": {"sms": {"raw": "x", "country": "UK"}}}
    (problem,) = (await take(harness, wrong))["problems"]
    assert problem["path"] == "$.registered.sms.country"


async def test_without_rules_the_plugins_are_asked(tmp_path: Path) -> None:
    async with open_harness(tmp_path) as harness:
        assert (await put(harness, contacts={"sms": "2125550100"})).status_code == 400
        await put(harness, country="US", contacts={"sms": "2125550100"})
        assert (await kept(harness))["sms"][0] == "+12125550100"
