"""What holds for every payload that is accepted."""

from hypothesis import given

from router.core.decide.decide import decide
from router.core.decide.render import render
from router.core.errors import PayloadError
from router.core.model.facts import Contact, DecisionState, Recipient
from router.core.model.notification import Notification, derive
from router.core.model.payload import decode
from router.core.simulate.explain import explain
from router.core.templates.filters import MAX_RESULT_LENGTH
from tests.core.notifications import NOON
from tests.core.payload_bodies import bodies
from tests.core.rulesets import rulebook, world

RULES = rulebook("""
lists: {vips: [cometchat-uid-1]}
enrich:
  - when: {custom.urgent: true}
    title: "URGENT: {{ title }}"
  - vars: {who: "{{ senderName | default(senderDetails.name) | title }}"}
rules:
  - name: noise
    when:
      any: [{kind: reaction, receiverType: group}, {kind: group_action, age: {gt: 1h}}]
    drop: true
  - name: call
    when: {type: call, callAction: [initiated, ended], not: {sender: {list: vips}}}
    enrich: {title: "{{ vars.who }}", body: "{{ callType | capitalize }}"}
    send: [{channel: app, expires: 45s}]
  - name: busy
    when: {unreadMessageCount: {gt: 3}, sentAt: {exists: true}, mention: false}
    send: [{channel: room, once_per: message, privacy: no_body, badge: "{{ unreadMessageCount }}"}]
  - name: rest
    when: {none: [{message.data.text: {contains: spam}}, {attributes.tier: {in: [free]}}]}
    enrich: {data: {link: "{{ custom.deepLink }}", all: "{{ message }}{{ custom }}{{ messages }}"}}
    send:
      - {channel: app, when: {conversation: {glob: "*user*"}}}
      - {channel: mail, privacy: no_content, to: [a@x.test]}
      - channel: text
        body: "{{ messages.message | join(' / ') | truncate(160) }} {{ sentAt | date }}"
""")


def everybody(notification: Notification) -> DecisionState:
    contacts = tuple(
        Contact(id=kind, kind=kind, address=f"their {kind}") for kind in ("push", "sms", "email")
    )
    known = Recipient(app_id=notification.app_id, uid=notification.uid, contacts=contacts)
    return world(known)


@given(bodies())
def test_whatever_is_accepted_is_decided_and_rendered(body: bytes) -> None:
    try:
        notification = derive(decode(body), id="n1", accepted_at=NOON)
    except PayloadError:
        return
    facts = everybody(notification)
    decision = decide(notification, RULES, facts, NOON)
    recipient = facts.recipient(notification.app_id, notification.uid)
    for planned in decision.deliveries:
        content = render(planned, notification, recipient, RULES, NOON).content
        texts = (content.title, content.body, content.link, *content.data.values())
        assert all(len(text) <= MAX_RESULT_LENGTH and "\0" not in text for text in texts)
        assert all(text.encode() for text in texts if text)
        assert len(planned.collapse.encode()) <= 64
    assert bool(decision.reason) is not bool(decision.deliveries)
    trace = explain(notification, RULES, facts, NOON)
    assert tuple(rule.name for rule in trace.rules if rule.matched) == decision.matched
