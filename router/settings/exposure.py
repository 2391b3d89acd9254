"""Where the router may listen, and what must guard it there."""

from ipaddress import ip_address

from router.settings.environment import Environment

WEBHOOK_CREDENTIALS = "ROUTER_WEBHOOK_USER and ROUTER_WEBHOOK_PASSWORD, or ROUTER_WEBHOOK_SECRET"
"""What to set so that the webhook knows who may post to it."""


def check_exposure(environment: Environment) -> tuple[str, ...]:
    """Return why the router must not listen as it is told; nothing when it may.

    Loopback is no protection in live mode, because proxies and tunnels end there.
    """
    signed = environment.webhook_secret is not None
    guarded = signed or bool(environment.webhook_user and environment.webhook_password)
    if not environment.sandbox:
        return () if guarded else (_UNGUARDED,)
    if is_loopback(environment.host):
        return ()
    missing = [] if guarded else [WEBHOOK_CREDENTIALS]
    if not environment.api_keys:
        missing.append("ROUTER_API_KEYS")
    return tuple(
        f"ROUTER_HOST: sandbox mode without {names} listens on a loopback address only; "
        f"set {names}, or ROUTER_HOST=127.0.0.1"
        for names in missing
    )


def check_proxies(environment: Environment) -> tuple[str, ...]:
    """Return why the router cannot go through its proxies; sandbox mode needs none."""
    return () if environment.sandbox else environment.proxies.problems


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_UNGUARDED = (
    "ROUTER_WEBHOOK_USER, ROUTER_WEBHOOK_PASSWORD: live mode needs both, or ROUTER_WEBHOOK_SECRET, "
    "on every address; set the credentials that CometChat sends, or ROUTER_SANDBOX=true to try the "
    "router"
)
