from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import fields

from router.channel import Secret
from router.settings import (
    Environment,
    EnvironmentInvalid,
    read_environment,
    variables,
)

GUARDED = {"ROUTER_WEBHOOK_USER": "cometchat", "ROUTER_WEBHOOK_PASSWORD": "orange"}
KEY = "0123456789abcdef"


def refused(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(EnvironmentInvalid) as invalid:
        read_environment(environ)
    return invalid.value.problems


def warned(environ: dict[str, str]) -> tuple[str, ...]:
    return read_environment(environ)[1]


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_environment({"PATH": "/bin"}) == (Environment(), ())


def test_every_variable_is_read_by_its_type() -> None:
    environment, warnings = read_environment(
        {
            **GUARDED,
            "ROUTER_RULES": "/etc/router/rules.yaml",
            "ROUTER_DATABASE": "postgresql+asyncpg://u:p@db/router",
            "ROUTER_HOST": "192.0.2.7",
            "ROUTER_PORT": "9000",
            "ROUTER_WEBHOOK_PASSWORD_PREVIOUS": "lemon",
            "ROUTER_WEBHOOK_SECRET": KEY,
            "ROUTER_WEBHOOK_SIGNATURE_HEADER": "X-Signature",
            "ROUTER_API_KEYS": f"app:recipients:{KEY}1, ops:operator:{KEY}:2",
            "ROUTER_PRIVATE_TARGETS": "Push.Corp.Example, 10.2.0.0/16,192.0.2.9,fd00::/8",
            "ROUTER_PLUGINS_DIR": "/plugins",
            "ROUTER_LOG_LEVEL": "WARNING",
            "ROUTER_LOG_FORMAT": "json",
            "ROUTER_SANDBOX": "True",
        }
    )
    assert warnings == ()
    assert environment.rules == Path("/etc/router/rules.yaml")
    assert environment.database.reveal() == "postgresql+asyncpg://u:p@db/router"
    assert (environment.host, environment.port) == ("192.0.2.7", 9000)
    assert environment.webhook_user == "cometchat"
    assert environment.webhook_password == Secret("orange")
    assert environment.webhook_password_previous == Secret("lemon")
    assert environment.webhook_secret == Secret(KEY)
    assert environment.webhook_signature_header == "x-signature"
    assert [(k.name, k.scope, k.key.reveal()) for k in environment.api_keys] == [
        ("app", "recipients", f"{KEY}1"),
        ("ops", "operator", f"{KEY}:2"),
    ]
    networks = map(ip_network, ("10.2.0.0/16", "192.0.2.9/32", "fd00::/8"))
    assert environment.private_targets == ("push.corp.example", *networks)
    assert environment.plugins_dir == Path("/plugins")
    assert (environment.log_level, environment.log_format) == ("warning", "json")
    assert environment.sandbox is True


def test_every_field_is_a_described_variable() -> None:
    listed = variables()
    own = [field.name for field in fields(Environment) if field.name != "proxies"]
    assert [v.field for v in listed] == own
    assert all(v.description and v.takes for v in listed)
    assert {v.name for v in listed if v.secret} == {
        "ROUTER_DATABASE",
        "ROUTER_WEBHOOK_PASSWORD",
        "ROUTER_WEBHOOK_PASSWORD_PREVIOUS",
        "ROUTER_WEBHOOK_SECRET",
        "ROUTER_API_KEYS",
    }


def test_an_empty_variable_counts_as_absent() -> None:
    environment, _ = read_environment(
        {
            "ROUTER_WEBHOOK_USER": "",
            "ROUTER_WEBHOOK_PASSWORD": "",
            "ROUTER_WEBHOOK_PASSWORD_FILE": "",
            "ROUTER_PORT": "",
            "ROUTER_API_KEYS": "",
        }
    )
    assert environment == Environment()


@pytest.mark.parametrize("name", [v.name for v in variables() if v.secret])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_every_secret_may_come_from_a_file(name: str, ending: str, tmp_path: Path) -> None:
    text = f"ops:operator:{KEY}" if name == "ROUTER_API_KEYS" else " ora nge "
    file = tmp_path / "secret"
    file.write_bytes(text.encode() + ending.encode())
    others = {k: v for k, v in GUARDED.items() if k != name}
    filed = {**others, f"{name}_FILE": str(file)}
    assert read_environment(filed) == read_environment({**others, name: text})


def test_a_file_is_read_for_secrets_only() -> None:
    (problem,) = refused({"ROUTER_HOST_FILE": "/x"})
    assert problem.startswith(
        "ROUTER_HOST_FILE: is not a setting of the router; did you mean ROUTER_"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(
    content: bytes | None, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    found = refused({"ROUTER_WEBHOOK_USER": "u", "ROUTER_WEBHOOK_PASSWORD_FILE": str(file)})
    assert found == (f"ROUTER_WEBHOOK_PASSWORD: its file {file} {problem}",)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("other")
    assert refused({**GUARDED, "ROUTER_WEBHOOK_PASSWORD_FILE": str(file)}) == (
        "ROUTER_WEBHOOK_PASSWORD: is set twice; unset it or ROUTER_WEBHOOK_PASSWORD_FILE",
    )


def test_every_problem_is_named_at_once() -> None:
    assert refused(
        {
            "ROUTER_PORT": "80000",
            "ROUTER_HOTS": "::1",
            "ROUTER_QWXZ": "1",
            "ROUTER_SANDBOX": "ja",
            "ROUTER_LOG_LEVEL": "loud",
            "ROUTER_WEBHOOK_USER": "a:b",
            "ROUTER_WEBHOOK_PASSWORD_PREVIOUS": "old",
            "ROUTER_WEBHOOK_SIGNATURE_HEADER": "x-signature",
        }
    ) == (
        "ROUTER_PORT: must be a number from 0 to 65535, not `80000`",
        "ROUTER_LOG_LEVEL: must be debug, info, warning or error, not `loud`",
        "ROUTER_SANDBOX: must be true or false, not `ja`",
        "ROUTER_HOTS: is not a setting of the router; did you mean ROUTER_HOST?",
        "ROUTER_QWXZ: is not a setting of the router; known are "
        + ", ".join(
            [v.name for v in variables()] + [f"{v.name}_FILE" for v in variables() if v.secret]
        ),
        "ROUTER_WEBHOOK_USER: needs ROUTER_WEBHOOK_PASSWORD; set it too",
        "ROUTER_WEBHOOK_PASSWORD_PREVIOUS: needs ROUTER_WEBHOOK_PASSWORD; set it too",
        "ROUTER_WEBHOOK_SIGNATURE_HEADER: needs ROUTER_WEBHOOK_SECRET; set it too",
        "ROUTER_WEBHOOK_USER: must not contain a colon, which ends the user name in Basic Auth",
    )


def test_a_password_without_a_user_is_refused() -> None:
    assert refused({"ROUTER_WEBHOOK_PASSWORD": "orange"}) == (
        "ROUTER_WEBHOOK_PASSWORD: needs ROUTER_WEBHOOK_USER; set it too",
    )


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("hunter2hunter2", "must be written `name:scope:key`"),
        ("ops:operator:", "must be written `name:scope:key`"),
        ("ops:admin:hunter2hunter2", "must have recipients or operator as its second part"),
        ("ops:hunter2hunter2:operator", "must have recipients or operator as its second part"),
        ("app:operator:hunter2hunter2", "has the same name as an earlier entry"),
        ("ops:operator:hunter2 hunter2", "must have a key of printable ASCII characters"),
        ("ops:operator:hunter2é", "must have a key of printable ASCII characters"),
    ],
)
def test_a_wrong_api_key_is_named_by_its_place_and_never_shown(entry: str, problem: str) -> None:
    (found,) = refused({"ROUTER_API_KEYS": f"app:recipients:{KEY},{entry}"})
    assert found.startswith(f"ROUTER_API_KEYS: entry 2 {problem}")
    assert "hunter2" not in found


def test_every_target_that_is_none_is_named() -> None:
    assert refused({"ROUTER_PRIVATE_TARGETS": "push.corp.example,10.2.0.1/16,https://x,"}) == tuple(
        f"ROUTER_PRIVATE_TARGETS: `{entry}` is neither a host nor a network such as 10.2.0.0/16"
        for entry in ("10.2.0.1/16", "https://x", "")
    )


def test_a_short_api_key_is_warned_about_by_its_place() -> None:
    (warning,) = warned({"ROUTER_API_KEYS": f"app:recipients:{KEY},ops:operator:short"})
    assert "entry 2" in warning
    assert "openssl rand" in warning
    assert "short " not in warning.replace("shorter ", "")


def test_a_short_secret_is_warned_about_and_never_shown() -> None:
    assert warned({"ROUTER_WEBHOOK_SECRET": KEY}) == ()
    (warning,) = warned({"ROUTER_WEBHOOK_SECRET": KEY[1:]})
    assert warning.startswith("ROUTER_WEBHOOK_SECRET: is shorter than 16 characters")
    assert KEY[1:] not in warning


@pytest.mark.parametrize("name", ["authorization", "Authorization", "x signature", "x:", "é"])
def test_what_cannot_be_the_header_of_a_signature_is_refused(name: str) -> None:
    given = {"ROUTER_WEBHOOK_SECRET": KEY, "ROUTER_WEBHOOK_SIGNATURE_HEADER": name}
    (problem,) = refused(given)
    assert problem == (
        "ROUTER_WEBHOOK_SIGNATURE_HEADER: must be the name of an HTTP header other than "
        f"Authorization, not `{name}`"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ROUTER_SERVICE_HOST", "10.0.0.1"),
        ("ROUTER_SERVICE_PORT", "8000"),
        ("ROUTER_SERVICE_PORT_HTTP", "8000"),
        ("ROUTER_PORT", "tcp://10.0.0.1:8000"),
        ("ROUTER_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("ROUTER_PORT_8000_TCP_PROTO", "tcp"),
        ("ROUTER_PORT_8000_TCP_PORT", "8000"),
        ("ROUTER_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("ROUTER_DB_SERVICE_HOST", "10.0.0.2"),
        ("ROUTER_DB_PORT", "tcp://10.0.0.2:5432"),
        ("ROUTER_DB_PORT_5432_TCP", "tcp://10.0.0.2:5432"),
    ],
)
def test_a_name_the_cluster_injects_warns_and_is_not_read(name: str, text: str) -> None:
    environment, warnings = read_environment({name: text})
    assert environment == Environment()
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{name}: set by Kubernetes for a service")


def test_a_port_that_no_cluster_made_is_read_or_refused() -> None:
    assert read_environment({"ROUTER_PORT": "0"})[0].port == 0
    assert refused({"ROUTER_PORT": "http://x"}) == (
        "ROUTER_PORT: must be a number from 0 to 65535, not `http://x`",
    )
    assert refused({"ROUTER_DB_PORT": "5432"})


def test_names_of_other_routers_are_answered_with_their_replacement() -> None:
    assert warned({"WEBHOOK_USER": "u", "WEBHOOK_PASS": "hunter2", "PORT": "3000"}) == (
        "WEBHOOK_USER: is ignored; set ROUTER_WEBHOOK_USER instead",
        "WEBHOOK_PASS: is ignored; set ROUTER_WEBHOOK_PASSWORD instead",
        "PORT: is ignored; set ROUTER_PORT instead",
    )


def test_secrets_never_show_in_the_settings() -> None:
    environment, _ = read_environment(
        {
            **GUARDED,
            "ROUTER_DATABASE": "postgresql+asyncpg://u:orange@db/router",
            "ROUTER_API_KEYS": f"ops:operator:{KEY}",
        }
    )
    assert "orange" not in repr(environment)
    assert KEY not in repr(environment)


def test_the_only_recipients_are_named_or_are_in_a_file(tmp_path: Path) -> None:
    environment, _ = read_environment({"ROUTER_ONLY_RECIPIENTS": "ann, qa-*,"})
    assert environment.only_recipients == ("ann", "qa-*")
    file = tmp_path / "staging.txt"
    file.write_text("# testers\nann\n\n  qa-*  \n", encoding="utf-8")
    environment, _ = read_environment({"ROUTER_ONLY_RECIPIENTS": f"@{file}"})
    assert environment.only_recipients == ("ann", "qa-*")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" , ", "contains no uid"),
        ("ann bob", "contains a space"),
        ("@absent.txt", "not a regular file"),
        ("@/dev/zero", "not a regular file"),
    ],
)
def test_a_guard_that_names_nobody_does_not_let_all_pass(text: str, said: str) -> None:
    with pytest.raises(EnvironmentInvalid) as refusal:
        read_environment({"ROUTER_ONLY_RECIPIENTS": text})
    (problem,) = refusal.value.problems
    assert problem.startswith("ROUTER_ONLY_RECIPIENTS: ")
    assert said in problem
