"""The parts of the router's own machine that a channel uses."""

from msgspec import Struct


class LocalAccess(Struct, frozen=True, kw_only=True):
    """The files that the settings of a channel name, and a service of this machine.

    `files` are paths as the setting writes them, and `setting` is the name of that setting.
    `service` is a service of the machine that the channel reaches, as `syslog://`, empty for none.
    """

    setting: str = ""
    files: tuple[str, ...] = ()
    service: str = ""
