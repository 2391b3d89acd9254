"""The settings of Apprise that the bridge uses, given to stock Apprise too."""

from typing import Any

ASSET: dict[str, Any] = {
    "app_id": "Router",
    "app_desc": "Notification router",
    "app_url": "",
    "image_url_mask": "",
    "image_url_logo": "",
    "http_redirects": False,
    "pgp_autogen": False,
    "pem_autogen": False,
    "service_timeout": 0,
}
