"""The words of a planned delivery: templates over the payload, fallbacks, privacy."""

from msgspec import Struct

from router.core.decide.evaluation import set_variables
from router.core.decide.planned import PlannedDelivery
from router.core.model.facts import Recipient, with_device_locale
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.core.model.privacy import redact_notification
from router.core.model.types import Privacy
from router.core.rules.ruleset import Defaults, Enrichment, Ruleset
from router.core.templates.context import visible
from router.core.templates.filters import number
from router.core.templates.template import Template, TemplateRenderError

_TEXTS = ("title", "body", "link", "image", "sound", "badge")
_MAX_BADGE = 2**31 - 1
"""The largest badge that every provider takes."""


class Rendered(Struct, frozen=True, kw_only=True):
    """A delivery's words; `faults` counts the templates that failed and were left out."""

    content: Content
    faults: int = 0


def render(
    planned: PlannedDelivery,
    notification: Notification,
    recipient: Recipient,
    ruleset: Ruleset,
    now: float,
) -> Rendered:
    """Return the words of a planned delivery; never raises for a template's fault.

    Its `locale` is that of the device it goes to, where that has one.
    With `privacy` the templates see only what it leaves of the payload, so that no title can
    tell the body. A template that fails costs its own text; a title or body falls back to the
    payload's.
    """
    privacy, defaults = planned.privacy, ruleset.defaults
    variables: dict[str, str] = {}
    for contact in recipient.contacts:
        if contact.id == planned.contact:
            recipient = with_device_locale(recipient, contact)
            break
    open_part = redact_notification(notification, privacy)
    names = visible(open_part, recipient, variables, now, ruleset.assumed)
    if privacy != "none":
        names["body"] = defaults.private_body
    if privacy == "no_content":
        names["title"] = defaults.private_title
    if planned.count:
        first = "" if privacy == "no_content" else planned.first
        names |= {"count": planned.count, "first": first, "others": planned.others}
    draft = _TextDraft(names, variables)
    for enrichment in planned.enrichments:
        draft.enrich(enrichment)
    content = draft.content(notification.details.get("unreadMessageCount"))
    return Rendered(content=_private(content, privacy, defaults), faults=draft.faults)


def _private(content: Content, privacy: Privacy, defaults: Defaults) -> Content:
    if privacy == "none":
        return content
    return Content(
        title=content.title if privacy == "no_body" else defaults.private_title,
        body=defaults.private_body,
        sound=content.sound,
        badge=content.badge,
    )


class _TextDraft:
    """The words as they stand after each enrichment; `own` are the payload's names."""

    def __init__(self, own: dict[str, object], variables: dict[str, str]) -> None:
        self.faults = 0
        self._own = own
        self._names = dict(own)
        self._variables = variables
        self._texts: dict[str, str] = {}
        self._data: dict[str, str] = {}

    def enrich(self, entry: Enrichment) -> None:
        """Apply one entry: `vars` first, then the texts, which see the words before it."""
        if entry.vars:
            self.faults += set_variables(entry, self._own, self._variables)
        for name in _TEXTS:
            if (template := getattr(entry, name)) is not None:
                self._set(self._texts, name, template)
        for name, template in entry.data.items():
            self._set(self._data, name, template)
        for name in ("title", "body"):
            self._names[name] = self._texts.get(name) or self._own[name]

    def content(self, unread: Json) -> Content:
        """Return the words as they stand, less what is empty."""
        return Content(
            title=str(self._names["title"]),
            body=str(self._names["body"]),
            data={name: words for name, words in self._data.items() if words},
            link=self._texts.get("link", ""),
            image=self._texts.get("image", ""),
            sound=self._texts.get("sound", ""),
            badge=self._badge(unread),
        )

    def _set(self, words: dict[str, str], name: str, template: Template) -> None:
        try:
            words[name] = template.render(self._names).strip()
        except TemplateRenderError:
            words.pop(name, None)
            self.faults += 1

    def _badge(self, unread: Json) -> int | None:
        """Return the whole number that was set, none where it was set empty, else `unread`."""
        words = self._texts.get("badge")
        if words == "":
            return None
        if words is not None and (count := _count(words)) is not None:
            return count
        self.faults += words is not None
        return _count(unread)


def _count(value: Json) -> int | None:
    unread = number(value)
    return int(unread) if unread is not None and 0 <= unread <= _MAX_BADGE else None
