"""Every built-in channel keeps the contract that plugin authors are offered."""

import base64

import msgspec
from msgspec.structs import replace

from router import Delivered, Rejected, Retry, Suspend
from router.channel import Request
from router.core.model.facts import Device
from router.plugins.apprise.channel import Apprise
from router.plugins.email import Email
from router.plugins.push.channel import Push
from router.plugins.push.es256_jwt import make_placeholder_key
from router.plugins.push.fcm_access_token import make_placeholder_account
from router.plugins.slack import Slack
from router.plugins.sms.channel import Sms
from router.plugins.webhook import Webhook
from router.testing import ChannelContract, ResponseCase
from tests.fakes.webpush import Browser


def fcm_error(code: str, message: str = "") -> bytes:
    kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    details = [{"@type": kind, "errorCode": code}]
    return msgspec.json.encode({"error": {"message": message, "details": details}})


class TestPush(ChannelContract):
    channel = Push
    settings = {"fcm": {"service_account": make_placeholder_account()}}
    address = "dXJk-1:APA91bH_abc-DEF"
    device = Device(platform="fcm_android")
    answers = {
        "ok": ResponseCase(
            means=Delivered,
            body=b'{"name": "projects/p/messages/1"}',
            handle="projects/p/messages/1",
        ),
        "an app that is gone": ResponseCase(
            means=Rejected, status=404, body=fcm_error("UNREGISTERED"), forget=True
        ),
        "a token that is none": ResponseCase(
            means=Rejected,
            status=400,
            body=fcm_error(
                "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"
            ),
            forget=True,
        ),
        "another project's token": ResponseCase(
            means=Rejected, status=403, body=fcm_error("SENDER_ID_MISMATCH")
        ),
        "a quota": ResponseCase(means=Retry, status=429, headers={"Retry-After": "7"}, after=7),
    }
    statuses = {404: Suspend}


class TestPushWithNotificationBlock(TestPush):
    settings = {"fcm": {"service_account": make_placeholder_account(), "notification_block": True}}


APNS_ID = "6FA459EA-EE8A-3CA4-894E-DB77E160355E"


class TestPushToApple(ChannelContract):
    channel = Push
    settings = {
        "apns": {
            "key": make_placeholder_key(),
            "key_id": "ABC123DEFG",
            "team_id": "DEF123GHIJ",
            "topic": "com.example.chat",
        }
    }
    address = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
    device = Device(platform="apns_ios_device")
    answers = {
        "ok": ResponseCase(means=Delivered, headers={"apns-id": APNS_ID}, body=b"", handle=APNS_ID),
        "an app that is gone": ResponseCase(
            means=Rejected,
            status=410,
            body=b'{"reason": "Unregistered", "timestamp": 1700000000000}',
            forget=True,
        ),
        "a token that has ended": ResponseCase(
            means=Rejected, status=410, body=b'{"reason": "ExpiredToken"}', forget=True
        ),
        "a stale signature": ResponseCase(
            means=Retry, status=403, body=b'{"reason": "ExpiredProviderToken"}'
        ),
        "a wrong key": ResponseCase(
            means=Suspend, status=403, body=b'{"reason": "InvalidProviderToken"}'
        ),
        "a wrong topic": ResponseCase(
            means=Suspend, status=400, body=b'{"reason": "TopicDisallowed"}'
        ),
        "too many to a device": ResponseCase(
            means=Retry, status=429, body=b'{"reason": "TooManyRequests"}'
        ),
        "too many signatures": ResponseCase(
            means=Suspend, status=429, body=b'{"reason": "TooManyProviderTokenUpdates"}', after=1200
        ),
        "too long": ResponseCase(means=Rejected, status=413, body=b'{"reason": "PayloadTooLarge"}'),
        "maintenance": ResponseCase(means=Retry, status=503, body=b'{"reason": "Shutdown"}'),
    }


class TestPushToAppleWithFcmBeside(TestPushToApple):
    settings = TestPushToApple.settings | TestPush.settings


BROWSER = Browser()


class TestPushToBrowsers(ChannelContract):
    channel = Push
    settings = {
        "webpush": {"private_key": make_placeholder_key(), "subject": "mailto:ops@example.com"}
    }
    address = BROWSER.address
    device = Device(platform="web")
    answers = {
        "ok": ResponseCase(
            means=Delivered,
            status=201,
            headers={"Location": "https://push.example.net/message/1"},
            body=b"",
            handle="https://push.example.net/message/1",
        ),
        "a browser that is gone": ResponseCase(means=Rejected, status=410, forget=True),
        "another key's subscription": ResponseCase(means=Rejected, status=403),
        "too many to a browser": ResponseCase(
            means=Retry, status=429, headers={"Retry-After": "7"}, after=7
        ),
    }
    statuses = {**dict.fromkeys((401, 403, 407), Rejected), 406: Retry}
    gone = frozenset({404, 410})

    def unseal(self, request: Request) -> Request:
        return replace(request, body=BROWSER.decrypt(request.body))


class TestPushToBrowsersWithTheOthersBeside(TestPushToBrowsers):
    settings = TestPushToBrowsers.settings | TestPushToAppleWithFcmBeside.settings


class TestSms(ChannelContract):
    channel = Sms
    settings = {"url": f"twilio://AC{'a' * 32}:{'b' * 32}@+15005550006/{{to}}"}
    address = "+12125550123"
    answers = {
        "ok": ResponseCase(means=Delivered, status=201, body=b'{"sid": "SM1"}', handle="SM1"),
        "no phone": ResponseCase(means=Rejected, status=400, body=b'{"code": 21614}', forget=True),
        "a wrong account": ResponseCase(means=Suspend, status=404, body=b'{"code": 20404}'),
    }
    statuses = {402: Suspend, 404: Suspend}


class TestSlackWebhook(ChannelContract):
    channel = Slack
    settings = {
        "url": "https://hooks.slack.com/services/T0000000A/B0000000A/abcdefghijklmnopqrstuvwx"
    }
    answers = {
        "ok": ResponseCase(means=Delivered, body=b"ok"),
        "a webhook that is gone": ResponseCase(means=Suspend, status=404, body=b"no_service"),
    }
    statuses = {404: Suspend, 410: Suspend}


class TestSlackBot(ChannelContract):
    channel = Slack
    settings = {
        "bot_token": "xoxb-123456789012-1234567890123-abcdefghijklmnopqrstuvwx",
        "blocks": True,
    }
    address = "C0123456789"
    answers = {
        "ok": ResponseCase(
            means=Delivered, body=b'{"ok": true, "channel": "C1", "ts": "1.2"}', handle="C1:1.2"
        ),
        "no such channel": ResponseCase(
            means=Rejected, body=b'{"ok": false, "error": "channel_not_found"}'
        ),
        "a revoked token": ResponseCase(
            means=Suspend, body=b'{"ok": false, "error": "token_revoked"}'
        ),
        "too fast": ResponseCase(
            means=Retry,
            body=b'{"ok": false, "error": "ratelimited"}',
            headers={"Retry-After": "30"},
            after=30,
        ),
    }
    updates = {
        "too late": ResponseCase(
            means=Rejected, body=b'{"ok": false, "error": "edit_window_closed"}'
        ),
        "not the bot's": ResponseCase(
            means=Rejected, body=b'{"ok": false, "error": "cant_update_message"}'
        ),
        "gone": ResponseCase(means=Rejected, body=b'{"ok": false, "error": "message_not_found"}'),
    }
    retractions = {
        "gone already": ResponseCase(
            means=Delivered, body=b'{"ok": false, "error": "message_not_found"}'
        ),
        "not the bot's": ResponseCase(
            means=Rejected, body=b'{"ok": false, "error": "cant_delete_message"}'
        ),
    }
    statuses = {404: Suspend, 410: Suspend}


class TestEmail(ChannelContract):
    channel = Email
    protocol = "smtp"
    settings = {"url": "mailtos://mailer:correct-horse@example.com/{to}", "from_name": "Chat"}
    address = "george@example.org"
    answers = {
        "ok": ResponseCase(
            means=Delivered, status=250, headers={"smtp-command": "data"}, body=b"2.0.0 queued"
        ),
        "nobody there": ResponseCase(
            means=Rejected,
            status=550,
            headers={"smtp-command": "rcpt"},
            body=b"5.1.1 no such user",
            forget=True,
        ),
        "a wrong password": ResponseCase(
            means=Suspend, status=535, headers={"smtp-command": "auth"}
        ),
        "greylisting": ResponseCase(means=Retry, status=451, headers={"smtp-command": "rcpt"}),
    }


class TestMailer(ChannelContract):
    channel = Email
    settings = {"url": "sendgrid://0123456789abcdef:mailer@example.com/{to}"}
    address = "george@example.org"
    answers = {"ok": ResponseCase(means=Delivered, status=202, body=b"")}
    statuses = {402: Suspend}


class TestWebhook(ChannelContract):
    channel = Webhook
    settings = {
        "url": "https://gateway.example/notify?key=hunter2hunter2",
        "secret": "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode(),
        "basic": "router:correct-horse",
    }
    answers = {"ok": ResponseCase(means=Delivered, status=204, body=b"")}


class TestWebhookOfRecipients(ChannelContract):
    channel = Webhook
    settings = {
        "url": "{to}",
        "secret": "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode(),
    }
    address = "https://people.example/in/george?key=hunter2hunter2"
    answers = {
        "ok": ResponseCase(means=Delivered, status=204, body=b""),
        "a webhook that is gone": ResponseCase(means=Rejected, status=410, forget=True),
    }
    statuses = dict.fromkeys((401, 403, 407), Rejected)
    gone = frozenset({410})


class TestApprise(ChannelContract):
    channel = Apprise
    settings = {"url": "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/{to}"}
    address = "12315544"
    answers = {"ok": ResponseCase(means=Delivered, body=b'{"ok": true}')}
    statuses = {402: Suspend}


class TestAppriseWithFixedDestination(ChannelContract):
    channel = Apprise
    settings = {"url": f"discord://123456789012345678/{'a' * 68}"}
    answers = {"ok": ResponseCase(means=Delivered, status=204, body=b"")}
    statuses = {402: Suspend}
