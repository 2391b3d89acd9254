"""What cannot be registered is refused by a running router, with each place and its remedy."""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.phones import APP, phones
from tests.acceptance.router_process import OPERATOR

RULES = """
rules:
  - name: everything
    send: [app]
"""
PLATFORM = ("$.platform", "no plugin sends to this platform; begin with apns, fcm or web")
APPLE = ("$.token", "is not a device token of Apple, which is hexadecimal digits")


async def test_a_device_that_cannot_be_is_refused_with_every_place(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"platform": "andriod", "token": "t"}, [PLATFORM]),
        ({"platform": "apns_ios_voip", "token": "fcm:APA91b"}, [APPLE]),
        (
            {"platform": "hms", "token": "t", "timezone": "Europe/Pariss", "locale": "français"},
            [
                PLATFORM,
                ("$.timezone", 'must be an IANA name; did you mean "Europe/Paris"?'),
                ("$.locale", "must be a word as fr or pt-BR"),
            ],
        ),
        ({"platform": "fcm_android"}, [("$.token", "give either `token` or `subscription`")]),
    ]
    async with phones(tmp_path, RULES) as harness:
        url = f"{harness.process.url}/v1/recipients/ben/devices?appId={APP}"
        for device, places in wrong:
            async with harness.session.put(url, json=device, headers=OPERATOR) as answer:
                told = await answer.json()
                assert answer.status == 400
            assert [(each["path"], each["reason"]) for each in told["problems"]] == places
        with pytest.raises(AssertionError, match=r"\$\.devices\[0\]\.platform"):
            await harness.enrol([{"uid": "ben", "devices": [{"platform": "hms", "token": "t"}]}])
        async with harness.session.get(url.replace("/devices", ""), headers=OPERATOR) as answer:
            assert answer.status == 404
