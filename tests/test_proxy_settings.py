"""`HTTPS_PROXY` and its siblings are read as curl reads them, or named with a reason."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.app import StartupError, log_proxies, serve
from router.channel import Secret
from router.settings import Environment, Proxy, check_proxies, read_environment, read_proxies

PROXY = Proxy(host="proxy.corp.example", port=3128)
URL = "http://proxy.corp.example:3128"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("text", [URL, f"{URL}/", "proxy.corp.example:3128", f" {URL} "])
def test_a_proxy_is_read(name: str, text: str) -> None:
    environment, warnings = read_environment({name: text})
    assert environment.proxies.find("https", "api.push.apple.com", 443) == PROXY
    assert (warnings, environment.proxies.problems) == ((), ())


def test_each_scheme_has_its_own_proxy_and_lower_case_goes_first() -> None:
    environ = {"http_proxy": "http://a", "HTTP_PROXY": "http://b", "all_proxy": "http://c:1"}
    proxies = read_proxies(environ)
    assert proxies.find("http", "x.example", 80) == Proxy(host="a", port=80)
    assert proxies.find("https", "x.example", 443) == Proxy(host="c", port=1)
    assert read_proxies({}).find("https", "x.example", 443) is None
    assert read_proxies({"HTTPS_PROXY": ""}) == read_proxies({})


def test_user_and_password_are_decoded_and_hidden() -> None:
    proxy = read_proxies({"HTTPS_PROXY": "http://ops:p%40ss%3A@[fd00::1]:8080"}).https
    assert proxy == Proxy(host="fd00::1", port=8080, user="ops", password=Secret("p@ss:"))
    assert proxy.authorization == "Basic b3BzOnBAc3M6"
    assert proxy.url == "http://[fd00::1]:8080"
    assert "p@ss" not in repr(proxy)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("socks5://ops:SECRET@proxy:1080", "socks5:// proxies are not supported; "),
        ("https://ops:SECRET@proxy:443", "https:// proxies are not supported; "),
        ("http://ops:SECRET@", "is not a valid proxy URL; "),
        ("http://ops:SECRET@proxy:port", "is not a valid proxy URL; "),
        ("http://ops:SECRET@proxy:99999", "is not a valid proxy URL; "),
        ("http://ops:SECRET@proxy/path", "is not a valid proxy URL; "),
        ("http://[SECRET", "is not a valid proxy URL; "),
        ("http://pro xy", "is not a valid proxy URL; "),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_with_the_remedy(text: str, problem: str) -> None:
    environment, _ = read_environment({"ALL_PROXY": text})
    (found,) = check_proxies(environment)
    assert found.startswith(f"ALL_PROXY: {problem}write http://HOST:PORT")
    assert "SECRET" not in found
    sandbox, _ = read_environment({"ALL_PROXY": text, "ROUTER_SANDBOX": "true"})
    assert check_proxies(sandbox) == ()


@pytest.mark.parametrize(
    ("listed", "host", "port", "is_direct"),
    [
        ("*", "a.example", 443, True),
        ("a.example", "a.example", 443, True),
        ("a.example", "A.EXAMPLE", 443, True),
        ("a.example", "a.example.", 443, True),
        ("a.example", "b.a.example", 443, True),
        ("a.example", "ba.example", 443, False),
        (".a.example", "b.a.example", 443, True),
        (".a.example", "a.example", 443, True),
        ("*.a.example", "b.a.example", 443, True),
        ("b.a.example", "a.example", 443, False),
        ("x.example,a.example", "a.example", 443, True),
        ("x.example a.example", "a.example", 443, True),
        (" , x.example ,, a.example", "a.example", 443, True),
        ("a.example:8443", "a.example", 8443, True),
        ("a.example:8443", "a.example", 443, False),
        ("10.0.0.0/8", "10.2.3.4", 443, True),
        ("10.0.0.0/8", "11.2.3.4", 443, False),
        ("10.0.0.7/8", "10.2.3.4", 443, True),
        ("10.0.0.0/8", "ten.example", 443, False),
        ("10.0.0.0/8", "::1", 443, False),
        ("192.0.2.1", "192.0.2.1", 443, True),
        ("192.0.2.1:443", "192.0.2.1", 443, True),
        ("192.0.2.1:443", "192.0.2.1", 80, False),
        ("fd00::/8", "fd00::7", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]", "::1", 443, True),
        ("[::1]:8443", "::1", 8443, True),
        ("[::1]:8443", "::1", 443, False),
        ("localhost", "localhost", 443, True),
        ("", "localhost", 443, False),
    ],
)
def test_no_proxy_names_what_is_reached_directly(
    listed: str, host: str, port: int, *, is_direct: bool
) -> None:
    proxies = read_proxies({"HTTPS_PROXY": URL, "NO_PROXY": listed})
    assert proxies.find("https", host, port) == (None if is_direct else PROXY)


def test_the_settings_know_no_proxy_by_default() -> None:
    assert Environment().proxies.find("https", "a.example", 443) is None


async def test_live_mode_does_not_start_past_a_proxy_that_it_cannot_use(tmp_path: Path) -> None:
    environ = {
        "ROUTER_WEBHOOK_USER": "cometchat",
        "ROUTER_WEBHOOK_PASSWORD": "orange",
        "ROUTER_DATABASE": f"sqlite+aiosqlite:///{tmp_path / 'router.db'}",
        "ROUTER_PORT": "0",
        "ALL_PROXY": "socks5://ops:SECRET@proxy:1080",
    }
    with pytest.raises(StartupError) as caught:
        await serve(read_environment(environ)[0])
    (problem,) = caught.value.problems
    assert problem.startswith("ALL_PROXY: socks5:// proxies are not supported")


def test_the_start_says_what_goes_through_a_proxy_and_what_does_not() -> None:
    with capture_logs() as lines:
        log_proxies(read_proxies({"HTTPS_PROXY": "http://ops:SECRET@proxy.corp.example:3128"}))
        log_proxies(read_proxies({}))
    assert [line["event"] for line in lines] == [
        "proxy in use",
        "proxy not used for SMTP and other non-HTTP protocols",
    ]
    assert (lines[0]["scheme"], lines[0]["url"]) == ("https", URL)
    assert "SECRET" not in str(lines)
