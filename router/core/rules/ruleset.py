"""A checked `rules.yaml`: channels, enrichments and rules, ready to decide."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, cast

from msgspec import Struct, field
from msgspec.structs import force_setattr, replace

from router.core.conditions.condition import Condition, ConditionSubject, name_fields
from router.core.conditions.fields import Field
from router.core.conditions.hours import Hours
from router.core.conditions.rule_index import RuleIndex
from router.core.errors import Place
from router.core.model.address import Address, Normalize, read_address
from router.core.model.local_access import LocalAccess
from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.core.model.types import Priority, Privacy
from router.core.model.unless import WaitClause
from router.core.templates.template import Template

Wants = Callable[[Any, Notification, str, str], bool]
"""Returns whether, by a channel's settings, a device is to hear of a notification.

Of the device it is told the platform and the provider id."""


class ChannelSchema(Protocol):
    """What loading asks of a plugin about the channels of that plugin."""

    @property
    def name(self) -> str:
        """What `plugin:` says in the file."""

    @property
    def address_kind(self) -> str:
        """The kind of contact it sends to."""

    @property
    def replaces(self) -> bool:
        """Whether a later message about the same replaces what is shown."""

    @property
    def wants(self) -> Wants:
        """Tells which devices are to hear of a notification."""

    @property
    def normalize_address(self) -> Normalize:
        """Writes an address as its channels do."""

    @property
    def updates(self) -> bool:
        """Whether it can change what it has shown, by the handle the provider left."""

    @property
    def retracts(self) -> bool:
        """Whether it can take back what it has shown, by the handle the provider left."""

    @property
    def platforms(self) -> Collection[str]:
        """What the platforms of its devices begin with; empty where any device may be one."""

    def find_device_fault(self, platform: str, address: str) -> str:
        """Return why a device of its platforms can never be reached; else nothing."""

    def convert(self, settings: Mapping[str, Json]) -> object:
        """Return an instance of the settings class, or raise `SettingsError` with every fault."""

    def needs_contact(self, settings: object) -> bool:
        """Return whether these settings leave the address to the recipient's contact.

        Raises `SettingsError` where the plugin does not say.
        """

    def find_local_access(self, settings: object) -> LocalAccess:
        """Return the files and services of the router's machine that these settings name.

        Raises `SettingsError` where the channel cannot use one of them.
        """

    def placeholder(self, path: str) -> str | None:
        """Return what stands in for a setting (dotted path) that sandbox mode does not find."""

    def schema(self) -> dict[str, Json]:
        """Return the settings as JSON Schema; a property that is secret has `writeOnly: true`."""


class ChannelSpec(Struct, frozen=True, kw_only=True):
    """A channel of the file: the plugin behind it and its checked settings.

    `settings` is an instance of the plugin's settings class. `address_kind` is the kind of
    contact it sends to, empty when its destination is fixed.
    """

    name: str
    plugin: str
    settings: Any
    address_kind: str
    place: Place
    replaces: bool = False
    """Whether a later message about the same replaces what is shown."""
    wants: Wants
    """Tells which devices are to hear of a notification."""
    normalize_address: Normalize
    """Writes an address as the channel does."""
    updates: bool = False
    retracts: bool = False
    """Whether what is shown can be changed, or taken back, by the handle the provider left."""
    local_files: Mapping[str, str] = {}
    """The texts of the files that the settings name, by path, as read with the rules."""

    def read_address(self, raw: str, country: str = "", *, is_fixed: bool = False) -> Address:
        """Return an address as the channel writes it, read in a country where it has to be."""
        normalize, settings = self.normalize_address, self.settings
        return read_address(normalize, settings, raw, country, is_fixed=is_fixed)


class Classifier(Struct, frozen=True, kw_only=True):
    """What a payload is, when a condition holds of it: templates by the names of fields."""

    when: Condition
    says: dict[str, Template]
    place: Place


class Enrichment(Struct, frozen=True, kw_only=True):
    """Templates for a message's words; None and absent keys leave what earlier ones said."""

    when: Condition | None = None
    title: Template | None = None
    body: Template | None = None
    link: Template | None = None
    image: Template | None = None
    sound: Template | None = None
    badge: Template | None = None
    data: dict[str, Template] = field(default_factory=dict)
    vars: dict[str, Template] = field(default_factory=dict)


QuietMode = Literal["defer", "drop"]
Collapse = Literal["message", "conversation", "throttle", "none"]
"""What of a step's messages a later one replaces."""


class Quiet(Struct, frozen=True):
    """The hours in which a step does not go: then it waits for their end, or is dropped."""

    hours: str
    mode: QuietMode = "defer"


class Step(Struct, frozen=True, kw_only=True):
    """One way out of a rule; `after` and `expires` in seconds; `to` empty means the recipient.

    Any clause of `unless` makes its deliveries needless. With `retract` an edit or a deletion
    changes what its message left, and is no message itself.
    """

    channel: str
    place: Place
    when: Condition | None = None
    to: tuple[str, ...] = ()
    after: float | None = None
    unless: tuple[WaitClause, ...] = ()
    quiet: Quiet | None = None
    priority: Priority | None = None
    expires: float | None = None
    once_per: Literal["message"] | None = None
    privacy: Privacy = "none"
    collapse: Collapse = "message"
    retract: bool = True
    enrich: Enrichment = Enrichment()


class Throttle(Struct, frozen=True, kw_only=True):
    """At most `max` notifications in `per` seconds for each value of the fields `by`.

    `by_recipient` tells recipients apart as well. `summary` are the words of the message that
    stands for the others; without it they are dropped.
    """

    max: int
    per: float
    by: tuple[Field, ...] = ()
    by_recipient: bool = True
    summary: Enrichment | None = None


class Rule(Struct, frozen=True, kw_only=True):
    """When this, enrich so, send there.

    `owner` is that of the included file it stands in, whose name begins with it; empty in the
    main file. `stop` and `drop` end the walk over the rules of one owner. `shared` are the
    enrichments of that file, which hold for its rules alone.
    """

    name: str
    owner: str = ""
    place: Place
    when: Condition
    enrich: Enrichment = Enrichment()
    throttle: Throttle | None = None
    shared: tuple[Enrichment, ...] = ()
    send: tuple[Step, ...] = ()
    stop: bool = False
    drop: bool = False


class App(Struct, frozen=True, kw_only=True):
    """What holds for the recipients of one app; `country` is where their addresses are read.

    `cap` is the most sends on one day (UTC), 0 without a cap.
    """

    country: str = ""
    cap: int = 0


class Defaults(Struct, frozen=True, kw_only=True):
    """What holds where the file says nothing; `retention` in seconds."""

    on_no_match: tuple[str, ...] = ()
    """Channels for a notification that no rule matched; empty drops it."""
    notify_sender: bool = False
    private_body: str = "You have a new message"
    private_title: str = "New notification"
    retention: float = 30 * 86400.0
    country: str = ""
    """Where addresses are read, ISO 3166; empty where they have to stand by themselves."""


def _narrow(rule: Rule, when: Condition) -> Rule:
    return replace(rule, when=when)


def _heeds_locale(condition: Condition | None) -> bool:
    """Return whether a condition looks at the locale, or at what may be made of it."""
    names = () if condition is None else name_fields(condition)
    return any(name == "locale" or name.startswith("vars.") for name in names)


class Ruleset(Struct, frozen=True, kw_only=True):
    """One version of the rules; `version` is the hash of the text it was made from."""

    version: str
    channels: dict[str, ChannelSpec]
    enrich: tuple[Enrichment, ...]
    rules: tuple[Rule, ...]
    defaults: Defaults
    classify: tuple[Classifier, ...] = ()
    assumed: dict[tuple[str, ...], Json] = field(default_factory=dict)
    """What stands in for declared fields, by path, where a template finds nothing."""
    hours: Hours = Hours()
    apps: dict[str, App] = field(default_factory=dict)

    index: RuleIndex[Rule] | None = None
    """Finds candidates; made from `rules`."""
    heeds_locale: bool = False
    """Whether a condition of a step or of words may hold for one device of a recipient and not for
    another; made from the conditions."""

    def __post_init__(self) -> None:
        """Build the index."""
        index = RuleIndex([(rule.when, rule) for rule in self.rules], _narrow)
        force_setattr(self, "index", index)
        heeds = any(map(_heeds_locale, self._of_steps_and_words()))
        force_setattr(self, "heeds_locale", heeds)

    def _of_steps_and_words(self) -> Iterator[Condition | None]:
        yield from (entry.when for entry in self.enrich)
        for rule in self.rules:
            yield from (entry.when for entry in rule.shared)
            yield from (step.when for step in rule.send)

    def country_of(self, app_id: str, country: str = "") -> str:
        """Return where addresses of an app's recipient are read: their own country goes first."""
        app = self.apps.get(app_id)
        return country or (app.country if app else "") or self.defaults.country

    def candidates(self, subject: ConditionSubject) -> Sequence[Rule]:
        """Return the rules that may match, in file order; the others cannot.

        For each of them `rule.when.holds(subject)` decides; what the subject's situation
        settles is left out of `when`.
        """
        return cast(RuleIndex[Rule], self.index).find(subject)
