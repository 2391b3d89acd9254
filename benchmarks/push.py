"""The `push` channel alone, to Apple, to FCM and to browsers, beside stock Apprise."""

import shutil
from pathlib import Path
from statistics import median

from benchmarks.apple import being_apple
from benchmarks.measurement import Effort, Line, Report, Round, Tell, ratio
from benchmarks.provider import providing, write_authorities
from benchmarks.sending import measure_sends, send_all

APPLE, FCM, WEB = "push to Apple", "push to FCM", "push to browsers"
STOCK = "stock Apprise, notify in a loop"
NODE = "Node's HTTP/2 client, to Apple"

NODE_CLIENT = Path(__file__).parent / "baselines" / "apns" / "client.js"

TAKEN = b'{"access_token":"t","expires_in":3599,"name":"projects/p/messages/1"}'
"""What answers FCM's two requests, the one for a token and the one with the message."""


async def measure(effort: Effort, folder: Path, tell: Tell) -> Report:
    """Send the same message over TLS in four ways, one after the other."""
    rounds: dict[str, list[Round]] = {APPLE: [], FCM: [], WEB: [], STOCK: []}
    environ = write_authorities(folder)
    environ["NODE_EXTRA_CA_CERTS"] = environ["SSL_CERT_FILE"]
    node = shutil.which("node")
    if node:
        rounds[NODE] = []
    async with being_apple() as apple, providing() as provider:
        provider.body = TAKEN
        local = f"localhost:{provider.port}"
        ways = {
            APPLE: ("pusher", "apns", f"https://localhost:{apple}", effort.notifications),
            FCM: ("pusher", "fcm", f"https://{local}", effort.notifications),
            WEB: ("pusher", "webpush", f"https://{local}", effort.notifications),
            STOCK: ("baselines.stock_apprise", f"jsons://{local}/notify", "loop", effort.stock),
        }
        for number in range(effort.rounds):
            tell(f"push: round {number + 1} of {effort.rounds}")
            for name, (module, one, other, count) in ways.items():
                sent = await send_all(module, one, other, count=count, environ=environ)
                rounds[name].append(sent)
            if node:
                command = (
                    node,
                    str(NODE_CLIENT),
                    f"https://localhost:{apple}",
                    str(effort.notifications),
                )
                count = effort.notifications
                rounds[NODE].append(await measure_sends(command, count=count, environ=environ))
    figure = "sends/s"
    lines = [
        Line(
            what="pushes/s to Apple over one connection",
            value=median(each[figure] for each in rounds[APPLE]),
            unit="/s",
            at_least=1000,
        ),
        Line(
            what="pushes/s to FCM",
            value=median(each[figure] for each in rounds[FCM]),
            unit="/s",
            at_least=1500,
        ),
        Line(
            what="pushes/s to browsers, each encrypted with a key of its own",
            value=median(each[figure] for each in rounds[WEB]),
            unit="/s",
            at_least=500,
        ),
        Line(
            what="pushes/s to Apple against stock Apprise's sends/s",
            value=ratio(rounds[APPLE], rounds[STOCK], figure),
            unit="×",
            at_least=25,
        ),
    ]
    if node:
        lines.append(
            Line(
                what="CPU of a push to Apple against Node's HTTP/2 client, without a channel",
                value=ratio(rounds[APPLE], rounds[NODE], "CPU µs"),
                unit="×",
                at_most=1.3,
            )
        )
    notes = [] if node else ["Node.js is not installed: its HTTP/2 client was not measured."]
    return Report(
        name="push", title="Push, the channel alone", lines=lines, rounds=rounds, notes=notes
    )
