"""What from-express.md promises to those who come from CometChat's sample server."""

import re

from router.settings import read_environment
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/howto/migrate-from-express.md").read_text(encoding="utf-8")


def test_the_old_names_are_answered_as_shown() -> None:
    shown = re.findall(r"^warning: (.+)$", PAGE, re.MULTILINE)
    old = dict.fromkeys(("WEBHOOK_USER", "WEBHOOK_PASS", "PORT"), "x")
    _, warnings = read_environment(old)
    assert list(warnings) == shown


def test_the_new_names_in_the_table_are_read() -> None:
    named = set(re.findall(r"\bROUTER_[A-Z_]+\b", PAGE)) - {"ROUTER_SANDBOX"}
    environ = {name: "/dev/null" if name.endswith("_FILE") else "1" for name in named}
    environ.pop("ROUTER_WEBHOOK_PASSWORD_FILE")
    environment, _ = read_environment(environ)
    assert (environment.webhook_user, environment.port) == ("1", 1)
    assert environment.webhook_password is not None
