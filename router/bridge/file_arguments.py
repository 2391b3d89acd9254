"""Files that the arguments of an Apprise URL name, collected while the rules are loaded.

https://appriseit.com/services/ documents them with each service: templates of messages, service
accounts, keys. Apprise reads each as an attachment (https://appriseit.com/library/attachments/).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from apprise import AppriseAttachment
from apprise.plugins.base import NotifyBase

from router.bridge.address import LOCAL_SCHEMES, fill_template
from router.bridge.local_files import LocalFile
from router.bridge.patching import find_modules, make_asset
from router.bridge.plugin_pool import BuildError, parse_url
from router.core.errors import SettingsError, SettingsFault
from router.core.model.local_access import LocalAccess

URL_SETTING = "url"
"""The setting of a channel that holds its Apprise URL."""

FILE_ARGUMENTS = ("keyfile", "pgp_key", "pgp_privkey", "subfile", "template")
"""Arguments that name a file, where the plugin reads files at all."""


class FileArgumentError(SettingsError):
    """An argument of a URL names a file that a channel cannot use; the text quotes no secret."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__([SettingsFault((URL_SETTING,), message, hint)])
        self.message = f"{message}; {hint}"


def find_url_access(url: str) -> LocalAccess:
    """Return the files and the service of this machine that an Apprise URL names.

    `{to}` may stand in the URL. A URL that Apprise rejects names nothing. Raises
    `FileArgumentError`.
    """
    try:
        kind, options = parse_url(fill_template(url, {"to": "0"}))
        scheme = str(options["schema"]).lower()
        service = f"{scheme}://" if scheme in LOCAL_SCHEMES else ""
        if not _reads_files(kind):  # type: ignore[arg-type]  # the hash of its instances hides its own
            return LocalAccess(setting=URL_SETTING, service=service)
        # A second address shows which arguments depend on it.
        _, other_options = parse_url(fill_template(url, {"to": "1"}))
    except BuildError:
        return LocalAccess(setting=URL_SETTING)
    if options.get("use_wkd"):
        message = "keys are not looked up in a Web Key Directory"
        raise FileArgumentError(message, "leave wkd= out, and name a file that holds the key")
    files = tuple(_read_files(options, other_options))
    return LocalAccess(setting=URL_SETTING, files=files, service=service)


def _read_files(options: Mapping[str, Any], other_options: Mapping[str, Any]) -> Iterator[str]:
    for name in FILE_ARGUMENTS:
        value = options.get(name)
        if not isinstance(value, str) or not value:
            continue
        if value != other_options.get(name):
            message = f"{{to}} stands in the name of a file ({name})"
            raise FileArgumentError(message, "write the path of one file for all recipients")
        attachment = AppriseAttachment.instantiate(value, asset=make_asset())
        if not isinstance(attachment, LocalFile):
            message = f"no file is taken from elsewhere ({name})"
            raise FileArgumentError(message, "write the path of a file on this machine")
        path = str(attachment.dirty_path)
        if not path.startswith("/"):
            message = f"the name of a file ({name}) is not an absolute path"
            raise FileArgumentError(message, "write a path that starts with /")
        yield path


@cache
def _reads_files(kind: type[NotifyBase]) -> bool:
    """Return whether a plugin, or a module of Apprise that it uses, reads attachments."""
    members = [value for module in find_modules(kind) for value in vars(module).values()]
    parts = [vars(v).values() for v in members if isinstance(v, ModuleType) and _is_apprise(v)]
    return any(value is AppriseAttachment for values in (members, *parts) for value in values)


def _is_apprise(module: ModuleType) -> bool:
    return module.__name__.startswith("apprise.")
