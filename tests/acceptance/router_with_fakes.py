"""`router` as it ships, but for its way out, which leads to fakes: `python -m` this module.

DIVERTED holds the base URL of each host's fake, in JSON; the fakes' certificates are trusted by
way of SSL_CERT_FILE.
"""

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from unittest import mock

from router import app
from router.cli import main
from router.transport.http import AiohttpTransport
from tests.transport.certificate import read_authority

MODULE = "tests.acceptance.router_with_fakes"


def divert(folder: Path, fakes: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with which `MODULE` asks these base URLs for those hosts."""
    authority = folder / "authority.pem"
    authority.write_text(read_authority(), encoding="ascii")
    return {"DIVERTED": json.dumps(dict(fakes)), "SSL_CERT_FILE": str(authority)}


if __name__ == "__main__":
    diverted = partial(AiohttpTransport, rewrite=json.loads(os.environ["DIVERTED"]))
    with mock.patch.object(app, "AiohttpTransport", diverted):
        main()
