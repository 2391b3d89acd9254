"""Find out, while the rules are read, whether an Apprise URL will do."""

from apprise.utils.parse import parse_urls

from router.bridge.address import check_template, fill
from router.bridge.instance import BuildError, make, parse


def check_url(url: str, *, sample: str = "") -> None:
    """Raise `ValueError` unless Apprise takes a URL of the operator's; it quotes no secret.

    `sample` is an address that the provider would take in the place of `{to}`; without one, a
    URL with `{to}` is read but not tried.
    """
    check_template(url)
    if len(parse_urls(url)) > 1:
        raise ValueError("url: holds several URLs; write a channel for each of them")
    try:
        build = parse(fill(url, {"to": sample or "0"}))
        targets = len(make(build)) if sample or "{to}" not in url else 1
    except BuildError as error:
        raise ValueError(f"url: {error}") from None
    if targets > 1:
        raise ValueError("url: reaches several at once; write a channel for each of them")
