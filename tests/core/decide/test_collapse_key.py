from router.core.decide.collapse_key import collapse_key
from tests.core.notifications import push

MESSAGE = push(tag="7")


def test_a_step_names_what_a_later_message_replaces() -> None:
    assert collapse_key("message", MESSAGE, "burst") == MESSAGE.topic
    assert collapse_key("none", MESSAGE, "burst") == ""
    assert collapse_key("throttle", MESSAGE, "burst") == "burst"
    assert collapse_key("throttle", MESSAGE, "") == MESSAGE.topic
    whole = collapse_key("conversation", MESSAGE, "")
    assert whole == collapse_key("conversation", push(tag="8"), "")
    assert whole.startswith("conversation:")
    nowhere = push(conversationId=None)
    assert collapse_key("conversation", nowhere, "") == nowhere.topic
