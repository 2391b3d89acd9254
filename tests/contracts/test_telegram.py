"""The plugin of the design page, word for word, as a drop-in."""

from router import Delivered, Rejected, Retry, Suspend
from router.registry import load_plugins
from router.testing import ChannelContract, ResponseCase
from tests import TESTDATA

DROPINS = TESTDATA / "dropins"


class TestTelegram(ChannelContract):
    channel = load_plugins(DROPINS).schemas["telegram"].channel
    settings = {"bot_token": "123456789:abcdefg_hijklmnop"}
    address = "12315544"
    answers = {
        "ok": ResponseCase(means=Delivered, body=b'{"ok": true, "result": {"message_id": 3}}'),
        "a wrong token": ResponseCase(means=Suspend, status=401, body=b'{"ok": false}'),
        "too many": ResponseCase(means=Retry, status=429, headers={"Retry-After": "7"}, after=7),
        "a bot that is blocked": ResponseCase(
            means=Rejected,
            status=403,
            body=b'{"ok": false, "description": "Forbidden: bot was blocked by the user"}',
        ),
        "an account that is gone": ResponseCase(
            means=Rejected,
            status=403,
            body=b'{"ok": false, "description": "Forbidden: user is deactivated"}',
            forget=True,
        ),
        "too many, as the body says": ResponseCase(
            means=Retry,
            status=429,
            body=b'{"ok": false, "parameters": {"retry_after": 34}}',
            after=34,
        ),
        "a bad chat": ResponseCase(means=Rejected, status=400, body=b'{"ok": false}'),
    }
