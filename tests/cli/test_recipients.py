"""`router recipients` with real files, on both databases."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import main
from router.core.model.facts import Recipient
from router.core.model.payload import Json
from router.store.db.database import Database
from router.store.recipients.repository import Recipients
from router.web import imports

Router = Callable[..., Result]
Show = Callable[[str], Recipient | None]


@pytest.fixture
def url(make_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    url = make_url()
    monkeypatch.setenv("ROUTER_DATABASE", url)
    return url


@pytest.fixture
def router(url: str) -> Router:
    def run(*args: str | Path, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(main, ["recipients", *map(str, args)], input=stdin)

    return run


@pytest.fixture
def show(url: str) -> Show:
    async def read(uid: str) -> Recipient | None:
        database = await Database.open(url)
        try:
            return await Recipients(database).get(uid, "app123")
        finally:
            await database.close()

    return lambda uid: asyncio.run(read(uid))


def write(path: Path, *lines: Json | str) -> Path:
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text), encoding="utf-8")
    return path


NADIA: Json = {
    "uid": "nadia",
    "appId": "app123",
    "contacts": {"email": "nadia@example.com"},
    "attributes": {"tier": "gold"},
    "timezone": "Europe/Paris",
    "devices": [{"platform": "fcm_android", "token": "t1", "authToken": "s1"}],
}


def test_json_lines_are_imported_and_a_second_time_changes_nothing(
    router: Router, show: Show, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.jsonl", NADIA, "", {"uid": "omar", "appId": "app123"})
    dry = router("import", file, "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "2 lines: 2 would change, 0 unchanged, 0 invalid\n")
    assert show("nadia") is None
    first = router("import", file)
    assert (first.exit_code, first.stdout) == (0, "2 lines: 2 changed, 0 unchanged, 0 invalid\n")
    nadia = show("nadia")
    assert nadia is not None
    assert {c.kind: c.address for c in nadia.contacts} == {
        "email": "nadia@example.com",
        "push": "t1",
    }
    again = router("import", file)
    assert (again.exit_code, again.stdout) == (0, "2 lines: 0 changed, 2 unchanged, 0 invalid\n")


def test_every_bad_line_is_told_and_the_good_ones_are_imported(
    router: Router, show: Show, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "people.jsonl",
        {"uid": "ok", "appId": "app123"},
        "{not json",
        {"uid": "a", "appId": "app123", "timezone": "Europe/Pariss", "locale": "!"},
        {"uid": "b", "appId": "app123", "atributes": {}},
        {"uid": "c", "appId": "app123", "contacts": {"emial": "c@example.com"}},
        {"uid": "d"},
        {"uid": "e", "appId": "app123", "devices": [{"platform": "fcm_web", "tokn": "secret-t"}]},
        {"appId": "app123"},
        "[]",
        "x" * (imports.MAX_LINE_BYTES + 1),
        {"uid": "nadia", "appId": "app123"},
    )
    done = router("import", file)
    assert done.exit_code == 1
    assert done.stdout == "11 lines: 2 changed, 0 unchanged, 9 invalid\n"
    told = [line.removeprefix(f"{file}:") for line in done.stderr.splitlines()]
    assert told == [
        "2: $: is not JSON: JSON is malformed: object keys must be strings (byte 1)",
        '3: $.timezone: must be an IANA name; did you mean "Europe/Paris"?',
        "3: $.locale: must be a word as fr or pt-BR",
        '4: $.atributes: unknown; did you mean "attributes"?',
        '5: $.contacts.emial: unknown kind of contact; did you mean "email"?',
        "6: $.appId: appId is required unless exactly one app is known; none is known yet",
        '7: $.devices[0].tokn: unknown; did you mean "token"?',
        "8: $.uid: must be given",
        "9: $: must be an object",
        f"10: $: is longer than {imports.MAX_LINE_BYTES} bytes",
    ]
    assert show("nadia") is not None
    assert show("ok") is not None


def test_an_app_may_be_given_once_for_all_lines(router: Router, show: Show, tmp_path: Path) -> None:
    file = write(tmp_path / "people.ndjson", {"uid": "nadia"}, {"uid": "omar", "appId": "other"})
    assert router("import", file, "--app", "app123").exit_code == 0
    assert show("nadia") is not None
    assert show("omar") is None


def test_standard_input_and_several_files_are_read(
    router: Router, show: Show, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.txt", "uid,appId", "omar,app123")
    line = json.dumps(NADIA).encode()
    assert router("import", "-", stdin=line).exit_code == 0
    assert show("nadia") is not None
    wrong = router("import", file)
    assert (wrong.exit_code, "--format" in wrong.stderr) == (2, True)
    assert router("import", file, "--format", "csv").exit_code == 0
    assert show("omar") is not None
    assert router("import", file, "--format", "csv", "--shape", "cometchat").exit_code == 2
    assert router("import", tmp_path / "absent.csv").exit_code == 2


def test_numbers_of_a_table_are_read_in_the_country_of_their_row_then_of_their_app(
    router: Router, show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\napps: {app123: {country: US}}\nrules: [{name: a, stop: true}]\n")
    monkeypatch.setenv("ROUTER_RULES", str(rules))
    file = write(
        tmp_path / "people.csv",
        "uid,appId,contacts.sms,country",
        "nadia,app123,(212) 555-0100,",
        "omar,app123,07531669965,GB",
        "eve,app123,07531669965,",
        "zoe,app123,+44 7531 669965,",
    )
    done = router("import", file)
    assert done.stdout == "4 lines: 3 changed, 0 unchanged, 1 invalid\n"
    reason = "is a number that is too long; write it with + and the country code, as +12125550100"
    assert done.stderr == f"{file}:4: contacts.sms: {reason}\n"
    shown = {uid: show(uid) for uid in ("nadia", "omar", "zoe")}
    assert [person.contacts[0].address if person else "" for person in shown.values()] == [
        "+12125550100",
        "+447531669965",
        "+447531669965",
    ]
    line = router("export").stdout.splitlines()[0]
    assert json.loads(line)["registered"] == {"sms": {"raw": "(212) 555-0100", "country": "US"}}
    told = router("show", "omar", "--app", "app123").stdout
    assert "registered.sms\t07…65, read in GB" in told


def test_rules_with_errors_are_told_and_do_without_their_countries(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\ndefaults: {country: UK}\n")
    monkeypatch.setenv("ROUTER_RULES", str(rules))
    line: Json = {"uid": "zoe", "appId": "app123", "contacts": {"sms": "2125550100"}}
    done = router("import", write(tmp_path / "people.jsonl", line))
    assert f"{rules} has errors" in done.stderr
    assert "1: $.contacts.sms: has no country code" in done.stderr


def test_a_table_is_imported_by_the_names_of_its_columns(
    router: Router, show: Show, tmp_path: Path
) -> None:
    columns = (
        "uid,appId,contacts.email,attributes.tier,attributes.age:json,muted.group_1,optOuts,"
        "timezone,device.platform,device.token,device.authToken,device.seenAt"
    )
    file = write(
        tmp_path / "people.csv",
        "\ufeff" + columns,
        'nadia,app123,nadia@example.com,"gold, or\nbetter",41,0,mail; chat,Europe/Paris,'
        "fcm_web,t1,s1,5",
        "nadia,app123,,,,,,,fcm_ios,t2,s1,6",
        "omar,app123,,007,,,,,,,,",
    )
    done = router("import", file)
    assert (done.exit_code, done.stderr) == (1, f"{file}:2: attributes.tier: {CONTROL}\n")
    text = file.read_text(encoding="utf-8").replace("or\nbetter", "or better")
    file.write_text(text, encoding="utf-8")
    assert router("import", file).stdout == "3 lines: 1 changed, 2 unchanged, 0 invalid\n"
    nadia, omar = show("nadia"), show("omar")
    assert nadia is not None
    assert omar is not None
    assert nadia.attributes == {"tier": "gold, or better", "age": 41}
    assert (nadia.muted, nadia.opt_outs) == ({"group_1": 0.0}, frozenset({"mail", "chat"}))
    assert {c.address for c in nadia.contacts} == {"nadia@example.com", "t1", "t2"}
    assert omar.attributes == {"tier": "007"}
    assert router("import", file).stdout == "3 lines: 0 changed, 3 unchanged, 0 invalid\n"


CONTROL = "contains a control character or an unpaired surrogate"


def test_bad_rows_of_a_table_are_told_with_the_line_they_begin_on(
    router: Router, show: Show, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(
        b"uid,appId,timezone,attributes.n:json,device.seenAt,device.token,device.platform\n"
        b"a,app123,Europe/Pariss,,,,\n"
        b"b,app123\n"
        b'c,app123,"Europe\n/Paris",,,,\n'
        b"d,app123,,gold,,,\n"
        b"e,app123,,,soon,t,fcm_web\n"
        b"f\xff,app123,,,,,\n"
        b"\n" + b"g" * (imports.MAX_LINE_BYTES + 1) + b"\n"
        b"nadia,app123,,,,,\n"
        b'h,app123,"Europe/Paris,,,,\n'
        b"i,app123,,,,,\n"
    )
    done = router("import", file)
    assert done.exit_code == 1
    told = [line.removeprefix(f"{file}:") for line in done.stderr.splitlines()]
    assert told == [
        '2: timezone: must be an IANA name; did you mean "Europe/Paris"?',
        "3: $: has 2 cells; the first line names 7",
        '4: timezone: must be an IANA name; did you mean "Europe/Paris"?',
        "6: attributes.n:json: is not JSON: write a number, true, false or a quoted text",
        "7: device.seenAt: expected `float | null`, got `str`",
        f"8: uid: {CONTROL}",
        f"10: $: is longer than {imports.MAX_LINE_BYTES} bytes",
        "12: $: is not CSV: unexpected end of data; lines 12 to 13 are left out",
    ]
    assert show("nadia") is not None
    assert done.stdout == "9 lines: 1 changed, 0 unchanged, 8 invalid\n"


def test_a_table_with_columns_that_cannot_be_is_refused_whole(
    router: Router, show: Show, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", "uid,timezoen,timezone,timezone", "nadia,,,")
    done = router("import", file, "--app", "app123")
    assert (done.exit_code, show("nadia")) == (1, None)
    assert done.stderr.splitlines() == [
        f'{file}:1: timezoen: unknown column; did you mean "timezone"?',
        f"{file}:1: timezone: is named twice",
    ]
    nameless = write(tmp_path / "nameless.csv", "appId", "app123")
    assert "nameless.csv:1: uid: " in router("import", nameless).stderr


def row(uid: str, token: str, **fields: Json) -> Json:
    """A push token as CometChat's page "List push tokens" shows one."""
    return {
        "authToken": f"{uid}_1710141033938cf7e3c67cc44465440d4efac8de",
        "pushTokenType": "chat",
        "createdAt": "2024-03-11T07:27:59.412Z",
        "platform": "fcm_android",
        "providerId": "fcm-provider-2",
        "pushToken": token,
        "uid": uid,
        "updatedAt": "2024-03-13T11:24:47.776Z",
        **fields,
    }


def test_cometchats_own_lists_are_imported(router: Router, show: Show, tmp_path: Path) -> None:
    file = write(
        tmp_path / "tokens.jsonl",
        {"data": {"pushTokens": [row("nadia", "t1"), row("nadia", "t2", authToken="other")]}},
        [row("omar", "t3", timezone=None, new="ignored")],
        {"uid": "eve", "platform": "apns_ios_voip", "voipToken": "4" * 64, "authToken": "a"},
        {"uid": "eve", "platform": "apns_ios_voip", "voipToken": "t:4", "authToken": "b"},
        {"data": {"pushTokens": [row("bob", ""), row("bob", "t5"), row("bob", "t6", platform=7)]}},
        {"error": {"code": "AUTH_ERR_EMPTY_APIKEY"}},
    )
    done = router("import", file, "--shape", "cometchat", "--app", "app123")
    assert done.exit_code == 1
    assert [line.removeprefix(f"{file}:") for line in done.stderr.splitlines()] == [
        "4: $.pushToken: is not a device token of Apple, which is hexadecimal digits",
        "5: $.data.pushTokens[0].pushToken: must not be empty",
        "5: $.data.pushTokens[2].platform: expected `str`, got `int`",
        "6: $.uid: must be given",
        "6: $.platform: must be given",
    ]
    assert done.stdout == "6 lines: 5 changed, 0 unchanged, 3 invalid\n"
    nadia, eve = show("nadia"), show("eve")
    assert nadia is not None
    assert eve is not None
    assert sorted(c.address for c in nadia.contacts) == ["t1", "t2"]
    assert nadia.contacts[0].device is not None
    assert nadia.contacts[0].device.provider_id == "fcm-provider-2"
    assert [c.address for c in eve.contacts] == ["4" * 64]
    again = router("import", file, "--shape", "cometchat", "--app", "app123")
    assert again.stdout == "6 lines: 0 changed, 5 unchanged, 3 invalid\n"


def test_what_cometchat_knew_gives_way_to_who_logged_in_since(
    router: Router, show: Show, tmp_path: Path
) -> None:
    write(tmp_path / "now.jsonl", NADIA)
    assert router("import", tmp_path / "now.jsonl").exit_code == 0
    old = write(tmp_path / "tokens.jsonl", row("omar", "t1"))
    assert router("import", old, "--shape", "cometchat", "--app", "app123").exit_code == 0
    nadia, omar = show("nadia"), show("omar")
    assert nadia is not None
    assert omar is not None
    assert ("t1" in {c.address for c in nadia.contacts}, omar.contacts) == (True, ())


def test_more_than_one_batch_is_imported(router: Router, show: Show, tmp_path: Path) -> None:
    many = 2 * imports.RECIPIENTS_PER_TRANSACTION + 1
    people: list[Json] = [{"uid": f"u{n}", "appId": "app123"} for n in range(many)]
    file = write(tmp_path / "people.jsonl", *people)
    expected = f"{many} lines: {many} changed, 0 unchanged, 0 invalid\n"
    assert router("import", file).stdout == expected
    assert show(f"u{many - 1}") is not None
