"""Rules files as teams write them, of any length."""

from random import Random

from tests import ROOT

_WORDS = ("billing", "support", "sales", "nurses", "drivers", "release", "on-call", "parents")
_TOPICS = ("outage", "refund", "invoice", "delivery", "appointment", "password", "urgent")
_ACTIONS = ("initiated", "cancelled", "rejected", "busy", "ended", "unanswered")
_TIERS = ("free", "pro", "gold")
_SHARES = (30, 15, 15, 4, 10, 10, 6, 10)
"""Of a hundred rules, how many are of each kind: most name a room, a person or a team; ten have
a regular expression, or an `any` of custom fields, and nothing else."""


def write_rules(count: int, seed: int = 1) -> str:
    """Return the repository's rules followed by others, so many rules in all.

    The others are about rooms, people, words, tiers and calls that few payloads have to do
    with, as those of many teams in one file; the same seed gives the same text.
    """
    text = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    dice = Random(seed)  # noqa: S311 - no secret
    own = text.count("\n  - name: ")
    return text + "".join(_rule(number, dice) for number in range(own, count))


def _rule(number: int, dice: Random) -> str:
    word, topic, tier = dice.choice(_WORDS), dice.choice(_TOPICS), dice.choice(_TIERS)
    one, other = dice.randrange(10_000), dice.randrange(10_000)
    kinds = (
        (
            f"{{receiverType: group, receiver: [{word}-{one}, {word}-{other}], kind: message}}",
            f'{{channel: support, title: "{{{{ senderName }}}} in {word} {one}"}}',
        ),
        (
            f"{{sender: [uid-{one}, uid-{other}]}}",
            "{channel: app, priority: high}",
        ),
        (
            f"{{kind: message, body: {{contains: {topic}}}, receiver: {{starts_with: {word}-}}}}",
            f'{{channel: mail, title: "{topic} {one}: {{{{ title | truncate(40) }}}}"}}',
        ),
        (
            f"{{body: {{matches: '(?i)\\b{topic} #?{one % 10}\\d{{3,5}}\\b'}}}}",
            f"{{channel: app, data: {{topic: {topic}, number: '{one}'}}}}",
        ),
        (
            f"{{attributes.tier: {tier}, receiverType: user, sender: {{starts_with: {word}}}}}",
            f"{{channel: text, expires: {one % 9 + 1}h}}",
        ),
        (
            f"{{type: call, callAction: {dice.choice(_ACTIONS)}, sender: uid-{one}}}",
            f'{{channel: app, body: "{{{{ senderName }}}} rings {word}"}}',
        ),
        (
            f"{{any: [{{custom.topic: {topic}}}, {{custom.level: {{gte: {one % 5 + 5}}}}}]}}",
            f'{{channel: mail, title: "{topic} {one}"}}',
        ),
        (
            f"{{feed: email, to.email: {{ends_with: '@{word}-{one}.example'}}}}",
            f'{{channel: mail, title: "{word} {one}: {{{{ subject }}}}"}}',
        ),
    )
    [(when, send)] = dice.choices(kinds, _SHARES)
    return f"\n  - name: {word}-{number}\n    when: {when}\n    send: [{send}]\n"
