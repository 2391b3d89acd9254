import msgspec
import pytest

from router.core.decide.decide import decide
from router.core.decide.planned import PlannedDelivery
from router.core.decide.render import Rendered, render
from router.core.model.facts import Recipient
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.notifications import NOON, call, digest, push
from tests.core.rulesets import ANN, rulebook, world

ODD_MESSAGES: Json = [
    {"message": "a\0b"},
    "x",
    {"sender": "Bob"},
    {"sender": {"name": "Zoe"}, "message": 7},
]
GOLD = msgspec.structs.replace(ANN, attributes={"tier": "gold", "age": 7})


def rendered(notification: Notification, rules: str, recipient: Recipient = GOLD) -> Rendered:
    ruleset = rulebook(rules)
    plans: tuple[PlannedDelivery, ...] = decide(
        notification, ruleset, world(recipient), NOON
    ).deliveries
    return render(plans[0], notification, recipient, ruleset, NOON)


def step(notification: Notification, *lines: str, top: str = "", rule: str = "") -> Content:
    """Return the words of a step to the room, with these lines in it."""
    inner = "".join(f"\n        {line}" for line in lines)
    rules = f"{top}\nrules:\n  - name: all\n{rule}    send:\n      - channel: room{inner}\n"
    result = rendered(notification, rules)
    assert result.faults == 0
    return result.content


def test_without_templates_the_payload_speaks() -> None:
    assert step(push()) == Content(title="Bob", body="hello")


@pytest.mark.parametrize(
    ("notification", "title", "body"),
    [
        (digest("email", subject="New messages"), "New messages", "Bob: hello\nBob: there?"),
        (digest("email"), "Bob", "Bob: hello\nBob: there?"),
        (digest("sms", smsContent="Read on"), "Bob", "Read on"),
        (digest("sms"), "Bob", "Bob: hello\nBob: there?"),
        (digest("sms", groupDetails={"name": "Hiking"}), "Hiking", "Bob: hello\nBob: there?"),
        (digest("sms", senderDetails=None), "", "Bob: hello\nBob: there?"),
        (
            digest("sms", senderDetails={"name": []}, groupDetails="g"),
            "",
            "Bob: hello\nBob: there?",
        ),
        (digest("email", messages=ODD_MESSAGES), "Bob", "a\ufffdb\nZoe: 7"),
        (push(title=None, body=None), "", ""),
        (push(title=["x"], body={"a": 1}), "", ""),
        (push(title=7, body="a\0b"), "7", "a\ufffdb"),
    ],
)
def test_the_payloads_own_words(notification: Notification, title: str, body: str) -> None:
    assert step(notification) == Content(title=title, body=body)


def test_own_words_are_bounded() -> None:
    content = step(push(title="t" * 100_000, body="b" * 100_000))
    assert (len(content.title), len(content.body)) == (16384, 16384)
    many: Json = [{"message": "m" * 1000}] * 5000
    assert len(step(digest("email", messages=many)).body) == 16384


def test_templates_see_the_payload_the_recipient_and_what_was_derived() -> None:
    notification = push(
        custom={"deepLink": "app://1", "odd-key": "o"}, message={"id": "7", "parentId": "3"}
    )
    content = step(
        notification,
        'title: "{{ senderName }} {{ uid }} {{ appId }} {{ region }} {{ feed }} {{ kind }}"',
        'body: "{{ conversation }} {{ reply }} {{ mention }} {{ message.id }} {{ age }}"',
        "data:",
        '  link: "{{ custom.deepLink }}"',
        "  odd: \"{{ custom['odd-key'] }}\"",
        '  tier: "{{ attributes.tier }} {{ attributes.age }}"',
        '  none: "{{ custom.nothing }}"',
    )
    assert content.title == "Bob ann app eu push message"
    assert content.body == "ann_user_bob true false 7 0"
    assert content.data == {"link": "app://1", "odd": "o", "tier": "gold 7"}


def test_templates_see_a_digest() -> None:
    content = step(
        digest("email", subject="News", groupDetails={"name": "Hiking"}),
        'title: "{{ subject }} {{ to.uid }} {{ groupDetails.name }} {{ senderDetails.name }}"',
        "body: \"{{ messages.message | join(' / ') }} {{ messages | length }} {{ age }}\"",
    )
    assert content.title == "News ann Hiking Bob"
    assert content.body == "hello / there? 2"


def test_a_payload_cannot_give_itself_another_kind_or_variable() -> None:
    notification = push(kind="call", vars={"a": "evil"}, attributes={"tier": "free"}, uid="root")
    content = step(notification, 'title: "{{ kind }} {{ uid }} {{ attributes.tier }}[{{ vars }}]"')
    assert content.title == "message ann gold[{}]"


def test_the_later_wins_and_sees_the_words_before_it() -> None:
    content = step(
        push(custom={"urgent": True}),
        'title: "{{ title }}!"',
        "data: {b: step, c: step}",
        top="""
enrich:
  - when: {custom.urgent: true}
    title: "URGENT: {{ title }}"
    body: "[{{ title }}] {{ body }}"
    data: {a: top, b: top}
  - when: {custom.urgent: false}
    title: never
""",
        rule='    enrich: {title: "{{ title }} ({{ body }})", data: {b: rule, c: rule}, link: "app://x"}\n',
    )
    assert content.body == "[Bob] hello", "texts of one entry see the words before it"
    assert content.title == "URGENT: Bob ([Bob] hello)!"
    assert content.data == {"a": "top", "b": "step", "c": "step"}
    assert content.link == "app://x"


def test_an_empty_title_or_body_falls_back_to_the_payloads() -> None:
    content = step(
        push(),
        'title: "{{ custom.title }}"',
        'body: "  "',
        top='enrich: [{title: "Other", body: "Other"}]',
    )
    assert content == Content(title="Bob", body="hello")


def test_what_is_empty_is_left_out_and_an_empty_later_one_takes_away() -> None:
    content = step(
        push(),
        'data: {a: "", b: "{{ custom.b }}"}',
        'link: ""',
        'image: "{{ custom.image }}"',
        'sound: " "',
        top="enrich: [{data: {a: x}, link: x, image: x, sound: x}]",
    )
    assert content == Content(title="Bob", body="hello")


def test_link_image_and_sound_are_set() -> None:
    content = step(push(), "link: app://1", "image: https://x.test/a.png", "sound: bell.caf")
    assert (content.link, content.image, content.sound) == (
        "app://1",
        "https://x.test/a.png",
        "bell.caf",
    )


@pytest.mark.parametrize(
    ("unread", "lines", "badge"),
    [
        (5, (), 5),
        ("5", (), 5),
        (None, (), None),
        ("many", (), None),
        (-1, (), None),
        (10**26, (), None),
        (5, ('badge: ""',), None),
        (5, ("badge: 7",), 7),
        (5, ('badge: "{{ custom.count }}"',), None),
        (5, ('badge: "{{ unreadMessageCount + 1 }}"',), 6),
    ],
)
def test_the_badge_is_the_unread_count_unless_set(
    unread: Json, lines: tuple[str, ...], badge: int | None
) -> None:
    assert step(push(unreadMessageCount=unread), *lines).badge == badge


def test_a_badge_that_is_no_whole_number_is_a_fault() -> None:
    result = rendered(
        push(unreadMessageCount=5),
        'rules: [{name: all, send: [{channel: room, badge: "{{ senderName }}"}]}]',
    )
    assert (result.content.badge, result.faults) == (5, 1)


def test_vars_are_merged_key_by_key_and_never_see_rewritten_text() -> None:
    content = step(
        push(),
        'title: "{{ vars.who }}/{{ vars.where }}/{{ vars.more }}"',
        'vars: {more: "{{ vars.who }}!"}',
        top="""
enrich:
  - title: "Rewritten"
    vars: {who: top, where: "{{ title }}"}
""",
        rule="    enrich: {vars: {who: rule}}\n",
    )
    assert content.title == "rule/Bob/rule!"


def test_a_condition_sees_top_level_vars() -> None:
    rules = """
enrich:
  - vars: {room: "{{ receiver | upper }}"}
  - when: {vars.room: ANN}
    title: For Ann
rules:
  - {name: ann, when: {vars.room: ANN}, send: [room]}
"""
    assert rendered(push(), rules).content.title == "For Ann"


def test_a_template_that_fails_costs_its_own_text_alone() -> None:
    broken = "{{ sentAt | date(custom.form) }}"
    result = rendered(
        push(custom={"form": "%Q"}),
        f"""
enrich:
  - {{title: "First", body: "First", link: first, data: {{a: first}}, vars: {{x: "first"}}}}
rules:
  - name: all
    send:
      - channel: room
        title: "{broken}"
        link: "{broken}"
        image: fine
        badge: "{broken}"
        data: {{a: "{broken}", b: "[{{{{ vars.x }}}}]"}}
        vars: {{x: "{broken}"}}
""",
    )
    assert result.faults == 5
    assert result.content == Content(title="Bob", body="First", image="fine", data={"b": "[]"})


def test_a_top_level_var_that_fails_is_absent_for_conditions() -> None:
    rules = """
enrich: [{vars: {x: "{{ sentAt | date(body) }}"}}]
rules: [{name: none, when: {vars.x: {exists: false}}, send: [room]}]
"""
    result = rendered(push(body="%Q"), rules)
    assert result.faults == 1


PRIVATE = push(
    custom={"code": "SECRET"}, body="SECRET", message={"id": "7", "data": {"text": "SECRET"}}
)
LEAKS = (
    'title: "{{ senderName }}: {{ body }} {{ message.data.text }} {{ custom.code }}"',
    'body: "{{ body }}"',
    'vars: {x: "{{ body }}"}',
    'sound: "{{ vars.x }}.caf"',
    'link: "{{ custom.code }}"',
    "image: a.png",
    "data: {a: b}",
)


def test_no_body_keeps_the_body_back_wherever_a_template_puts_it() -> None:
    content = step(PRIVATE, "privacy: no_body", *LEAKS, "badge: 3")
    assert content == Content(
        title="Bob: You have a new message",
        body="You have a new message",
        sound="You have a new message.caf",
        badge=3,
    )


def test_no_content_keeps_the_title_back_too() -> None:
    content = step(PRIVATE, "privacy: no_content", *LEAKS[:2])
    assert content == Content(title="New notification", body="You have a new message")


def test_the_private_words_are_the_files() -> None:
    top = "defaults: {private_title: News, private_body: Come and see}"
    assert step(PRIVATE, "privacy: no_body", top=top) == Content(title="Bob", body="Come and see")
    content = step(PRIVATE, "privacy: no_content", top=top)
    assert content == Content(title="News", body="Come and see")


def test_a_private_digest_tells_nothing_of_its_messages() -> None:
    told = digest("email", subject="News from Bob")
    body = 'title: "{{ subject }} {{ messages.message }} {{ senderDetails.name }}"'
    assert step(told, "privacy: no_body", body).title == "News from Bob  Bob"
    assert step(told, "privacy: no_content", body).title == "New notification"


def test_a_private_call_still_counts_its_badge() -> None:
    content = step(call("initiated", unreadMessageCount=2), "privacy: no_content")
    assert content.badge == 2
