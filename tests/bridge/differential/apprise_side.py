"""Apprise as it comes, over a `requests` whose adapter records and answers."""

import json
from io import BytesIO
from typing import Any
from urllib.parse import quote

import requests
from apprise import Apprise, AppriseAsset, NotifyFormat

from tests import TESTDATA
from tests.bridge.differential import fixed_environment
from tests.bridge.differential.apprise_settings import ASSET
from tests.bridge.differential.run import Outcome, Report, Sent, describe
from tests.bridge.differential.url_templates import Case

OPTIONS: dict[str, str] = json.loads((TESTDATA / "apprise_differences.json").read_bytes())[
    "options"
]
"""What the bridge adds to the URLs of some services."""


class Recorder:
    """Stands in for every connection that `requests` makes."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.sent: list[Sent] = []
        self.status = 200

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        """Record a request and answer it."""
        body: Any = request.body
        if hasattr(body, "read"):
            body = body.read()
        raw = body.encode() if isinstance(body, str) else bytes(body or b"")
        headers = {_text(name).lower(): _text(value) for name, value in request.headers.items()}
        self.sent.append(Sent(str(request.method), str(request.url), headers, raw))
        answer = requests.Response()
        answer.status_code = self.status
        answer.headers["content-type"] = "application/json"
        answer.raw = BytesIO(json.dumps(fixed_environment.TAKEN).encode())
        answer.url = str(request.url)
        answer.request = request
        return answer


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def run_stock(other: Report) -> Report:
    """Return what stock Apprise does with the cases of the other side."""
    recorder = Recorder()
    vars(requests.adapters)["HTTPAdapter"].send = lambda _, request, **__: recorder.send(request)
    own = set(other.own)
    apprise = Apprise(asset=AppriseAsset(**ASSET))
    outcomes = []
    for case in other.cases:
        recorder.sent = []
        recorder.status = other.statuses.get(case.service, 200)
        outcomes.append(_run(apprise, case, recorder, own=case.service in own))
    return Report(cases=[], outcomes=outcomes, statuses={}, own=[])


def _run(apprise: Apprise, case: Case, recorder: Recorder, *, own: bool) -> Outcome:
    fixed_environment.begin()
    url = case.url.replace("{to}", quote(case.address, safe=""))
    if case.service in OPTIONS:
        url += f"{'&' if '?' in url else '?'}{OPTIONS[case.service]}"
    plugin = Apprise.instantiate(url, asset=apprise.asset)
    if plugin is None:
        return Outcome(refused="stock Apprise takes no such URL")
    if own:
        return Outcome(plugin=describe(plugin))
    plugin.request_rate_per_sec = 0
    apprise.clear()
    apprise.add(plugin)
    try:
        done = bool(apprise.notify(title=case.title, body=case.body, body_format=NotifyFormat.TEXT))
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return Outcome(requests=recorder.sent, refused=type(error).__name__)
    return Outcome(done=done, requests=recorder.sent)
