"""Baselines are served as the router is: the same server with the same settings."""

import os

import uvloop
from litestar.types import ASGIApp

from router.web.server import HttpServer, listen


def serve(application: ASGIApp) -> None:
    """Serve an application on the port that PORT names, until killed."""
    with listen("127.0.0.1", int(os.environ["PORT"])) as listener:
        uvloop.run(HttpServer(application, grace=1).serve([listener]))
