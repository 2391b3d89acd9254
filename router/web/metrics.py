"""`/metrics`: the figures as Prometheus reads them, without a key and without a name in them."""

from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST

from router.web.openapi import described
from router.web.single_flight import SingleFlight


@get("/metrics", tags=["health"], opt=described(media_type="text/plain"))
async def show_metrics(exposition: NamedDependency[SingleFlight[bytes]]) -> Response[bytes]:
    """Return every metric in the text format of Prometheus."""
    media_type = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # the framework adds it
    return Response(await exposition.result(), media_type=media_type)
