"""Apprise on asyncio: what a channel plugin builds on."""

from router.bridge.channel import AppriseChannel
from router.bridge.hop import Hop
from router.bridge.verdict import Reading, conclude
from router.channel import Request, Response, Transport, TransportError

__all__ = [
    "AppriseChannel",
    "Hop",
    "Reading",
    "Request",
    "Response",
    "Transport",
    "TransportError",
    "conclude",
]
