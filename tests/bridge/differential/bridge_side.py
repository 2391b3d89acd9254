"""The bridge, through the channel that any Apprise URL goes to, over a transport that records."""

import json

from apprise.plugins.base import NotifyBase
from apprise.plugins.email import NotifyEmail

from router import Delivered, Secret
from router.bridge import Request, Response, make_plugin, parse_url
from router.bridge.address import fill_template
from router.bridge.patching import execution_mode
from router.plugins.apprise.channel import Apprise, AppriseSettings
from router.testing import make_message
from tests.bridge.differential import fixed_environment, url_templates
from tests.bridge.differential.run import Outcome, Report, Sent, describe
from tests.bridge.differential.url_templates import Case


class RecordingTransport:
    """Records requests and answers them."""

    is_live = False

    def __init__(self, status: int) -> None:
        """Answer with a status."""
        self.status = status
        self.sent: list[Sent] = []

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Record a request and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.sent.append(Sent(request.method, request.url, headers, request.body))
        return Response(
            status=self.status,
            headers={"content-type": "application/json"},
            body=json.dumps(fixed_environment.TAKEN).encode(),
        )


async def run(cases: list[Case]) -> Report:
    """Return what the bridge does with the cases."""
    statuses: dict[str, int] = {}
    outcomes = []
    for case in cases:
        if case.service not in statuses:
            statuses[case.service] = await _find_status(case)
        outcomes.append(await _run(case, statuses[case.service]))
    return Report(cases=cases, outcomes=outcomes, statuses=statuses, own=sorted(_own()))


async def _find_status(case: Case) -> int:
    """Return the status that a service takes for a yes."""
    for status in fixed_environment.STATUSES:
        if (await _run(case, status)).done:
            return status
    return fixed_environment.STATUSES[0]


def _own() -> set[str]:
    """Return the services that speak past `requests`: by connections of their own, or SMTP."""
    found = [p for p in url_templates.services() if _speaks_otherwise(p)]
    return {url_templates.name(plugin) for plugin in found}


def _speaks_otherwise(plugin: type[NotifyBase]) -> bool:
    return execution_mode(plugin) == "own" or issubclass(plugin, NotifyEmail)  # type: ignore[arg-type]  # as in passage


async def _run(case: Case, status: int) -> Outcome:
    fixed_environment.begin()
    try:
        settings = AppriseSettings(url=Secret(case.url), fixed="{to}" not in case.url)
    except ValueError as error:
        return Outcome(refused=f"check: {error}")
    build = parse_url(fill_template(case.url, {"to": case.address}))
    if _speaks_otherwise(build[0]):
        try:
            return Outcome(plugin=describe(make_plugin(build, case.address)))
        except ValueError as error:
            return Outcome(refused=str(error))
    transport = RecordingTransport(status)
    channel = Apprise(settings, transport)
    message = make_message(address=case.address, title=case.title, body=case.body)
    outcome = await channel.send(message)
    sent = [*transport.sent]  # what follows is a logout, which stock Apprise makes in a destructor
    await channel.aclose()
    done = isinstance(outcome, Delivered)
    return Outcome(done=done, requests=sent, refused="" if done else str(outcome))
