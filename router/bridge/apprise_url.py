"""Checks of an Apprise URL while the rules are loaded."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from apprise.plugins.base import NotifyBase
from apprise.utils.parse import is_email, is_phone_no, parse_urls

from router.bridge.address import (
    NAMES_A_HOST,
    check_template,
    comes_from,
    count_targets,
    fill_template,
)
from router.bridge.file_arguments import FileArgumentError, find_url_access
from router.bridge.plugin_pool import BuildError, is_secret, make_plugin, parse_url
from router.bridge.service_targets import Build, find_target_kind, list_tokens, read_targets
from router.core.errors import AddressError

SAMPLE_ADDRESSES = (
    "anna@example.com",
    "+12125550123",
    "2125550123",
    "ben@example.org",
    "+13125550177",
    "3125550177",
    "+61412345678",
    "abcdefghij",
    "#abcdefghij",
    "@abcdefghij",
    "1234567",
    "k1abc",
    "ABCDEFGH",
    "0123456789abcdef" * 2,
    "0123456789abcdef" * 4,
    "8b799edf-6f98-4d3a-9be7-2862fb4e5752",
)
"""Addresses in the forms that services take, to try in the place of `{to}`.

A sample that the URL itself holds is skipped, as a match would prove nothing. Mail addresses and
phone numbers are here twice for that reason.
"""

PERSONAL = frozenset({"phone", "mailbox"})
"""The kinds of targets that are always persons."""

SEVERAL_TARGETS = "url: reaches several at once; write a channel for each of them"


def check_file_arguments(url: str) -> None:
    """Raise `ValueError` where a URL asks for a file that a channel cannot use."""
    try:
        find_url_access(url)
    except FileArgumentError as error:
        raise ValueError(f"url: {error.message}") from None


def check_url(
    url: str,
    *,
    sample: str = "",
    fixed: bool = False,
    is_personal: bool = False,
    check_target: Callable[[str], object] | None = None,
) -> None:
    """Raise `ValueError` unless each delivery by an Apprise URL reaches one destination.

    With `{to}`, the destination is the recipient's address: `sample` or one of `SAMPLE_ADDRESSES`
    must become the one target. Without it, the URL names the destination. Where the service
    reaches persons (always, when `is_personal`), the operator must have set `fixed`, and
    `check_target` raises `AddressError` for a target that is not valid as written. The error
    quotes no secret.
    """
    check_template(url)
    _check_characters(url)
    check_file_arguments(url)
    if len(parse_urls(url)) > 1:
        raise ValueError("url: holds several URLs; write a channel for each of them")
    try:
        if "{to}" not in url:
            _check_fixed(parse_url(url), fixed=fixed, is_personal=is_personal)
            if check_target is not None:
                _check_targets(parse_url(url), check_target)
        elif fixed:
            raise ValueError("fixed: goes with a url without {to}; leave out one of them")
        else:
            _check_placeholder(url, (sample, *SAMPLE_ADDRESSES) if sample else SAMPLE_ADDRESSES)
    except BuildError as error:
        raise ValueError(f"url: {error}") from None


def _check_characters(url: str) -> None:
    """Raise `ValueError` for characters that Apprise would drop, or read as part of a name.

    Apprise keeps a # after a slash, and drops the text behind any other #: the message would go
    to a default, such as all rooms or all devices.
    """
    if "#" in url.partition("?")[0].replace("/#", "/%23"):
        raise ValueError("url: what follows the # would be left out; write %23 for it, after a /")
    if _OTHER_PLACE.search(url.replace("{to}", "")):
        raise ValueError(
            "url: holds braces around another word than to; the recipient's address goes to {to}, "
            "and a brace itself is written %7B or %7D"
        )


_OTHER_PLACE = re.compile(r"\{+\s*\w*\s*\}|\{+\s*to\b|\bto\s*\}")


def _check_targets(build: Build, check_target: Callable[[str], object]) -> None:
    for target in read_targets(build):
        try:
            check_target(target)
        except AddressError as error:
            raise ValueError(f"url: the fixed address {error}") from None


def _check_fixed(build: Build, *, fixed: bool, is_personal: bool) -> None:
    """Raise `ValueError` for several destinations, or for a person without `fixed`."""
    plugin = make_plugin(build)
    targets = read_targets(build)
    if len(targets) > 1 or _count_requests(plugin) > 1:
        raise ValueError(SEVERAL_TARGETS)
    if any(not is_email(text) and count_targets(plugin, text) > 1 for text in targets):
        raise ValueError(SEVERAL_TARGETS)
    if not fixed and (is_personal or _reaches_persons(build, plugin)):
        raise ValueError(
            "url: without {to}, everybody's messages go to one address; write {to} in its place, "
            "or `fixed: true` if that is wanted"
        )


def _check_placeholder(url: str, samples: tuple[str, ...]) -> None:
    """Raise `ValueError` unless one of the samples becomes the one target."""
    usable = [sample for sample in samples if sample.lstrip("+#@").lower() not in url.lower()]
    builds = [(parse_url(fill_template(url, {"to": sample})), sample) for sample in usable]
    _check_arguments(builds[0][0][0], url)
    for build, sample in builds:
        try:
            plugin = make_plugin(build, sample)
        except AddressError as error:
            if str(error) == NAMES_A_HOST:
                raise ValueError("url: {to} stands where the host to connect to does") from None
            continue
        if len(read_targets(build)) > 1 or _count_requests(plugin) > 1:
            raise ValueError("url: {to} stands beside other targets; write a channel for each")
        if _arrives(build, plugin, sample):
            return
    _check_any_build([build for build, _ in builds])
    raise ValueError(f"url: {_explain_placeholder(builds[0][0][0])}")


def _check_arguments(kind: type[NotifyBase], url: str) -> None:
    """Raise `ValueError` where `{to}` is the value of an argument that is no destination.

    An argument is a destination where it is an alias of a part of the service's URL templates.
    Arguments that begin with a sign, as in `?:to={to}`, belong to the receiver.
    """
    for argument in re.split("[&;]", url.partition("?")[2]):
        name, _, value = argument.partition("=")
        if "{to}" not in argument or ("{to}" in value and name.startswith((":", "+", "-"))):
            continue
        definition = kind.template_args.get(name.lower(), {})
        alias: Any = definition.get("alias_of") or ()
        aliases = {alias} if isinstance(alias, str) else set(alias)
        if aliases.isdisjoint(kind.template_tokens) and definition.get("map_to") != "targets":
            raise ValueError(f"url: {_explain_placeholder(kind)}")


def _arrives(build: Build, plugin: NotifyBase, sample: str) -> bool:
    """Return whether a message to a sample reaches it, and nothing else that the URL names.

    A person's mail address or phone number must be the target itself: an address in the place of
    the sender would send to the sender or to a fixed target. For other services the address may be
    a credential, such as the key of the recipient's own account, or, without any target, another
    part of the URL.
    """
    targets = read_targets(build)
    if any(comes_from(text, sample) for text in targets):
        return True
    if find_target_kind(build[0]) in PERSONAL:
        return False
    if is_secret(build, sample):
        return not any(is_email(text) or is_phone_no(text) for text in targets)
    return not (targets or vars(plugin).get("targets"))


def _check_any_build(builds: list[Build]) -> None:
    """Raise `BuildError` where the service rejects the URL with every address."""
    for build in builds[:-1]:
        with suppress(BuildError):
            make_plugin(build)
            return
    make_plugin(builds[-1])


def _explain_placeholder(kind: type[NotifyBase]) -> str:
    """Return the place where `{to}` may stand, by the URL templates of the service."""
    templates: tuple[str, ...] = tuple(kind.templates)
    for template in templates:
        for name, _ in list_tokens(kind):
            if f"{{{name}}}" in template:
                example = template.replace(f"{{{name}}}", "{to}").replace(
                    "{schema}", _scheme_of(kind)
                )
                return f"{{to}} does not become the one target there; write it as in {example}"
    return (
        "the service has no place for a recipient's address; leave {to} out, "
        "or take `plugin: webhook` to post to a gateway of your own"
    )


def _scheme_of(kind: type[NotifyBase]) -> str:
    schemes = getattr(kind, "secure_protocol", None) or getattr(kind, "protocol", None)
    return str(schemes if isinstance(schemes, str) else next(iter(schemes or ()), ""))


def _count_requests(plugin: NotifyBase) -> int:
    """Return the number of requests that a plugin declares; 0 where it declares none."""
    try:
        return len(plugin)
    except TypeError:
        return 0


def _reaches_persons(build: Build, plugin: NotifyBase) -> bool:
    """Return whether a message goes to a person's mail address or phone number.

    Where a service reaches persons alone, the targets that the plugin has parsed decide: without
    any, mail goes to its sender.
    """
    kind, targets = find_target_kind(build[0]), read_targets(build)
    if kind in PERSONAL:
        return bool(vars(plugin).get("targets"))
    if any(is_email(text) for text in targets):
        return True
    return kind == "phone or other" and any(is_phone_no(text) for text in targets)
