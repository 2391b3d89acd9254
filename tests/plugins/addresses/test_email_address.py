"""E-mail addresses have one form, or are refused with the reason and the remedy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import AddressError
from router.plugins._addresses.email_address import normalize_mailbox
from tests import TESTDATA

TABLE = TESTDATA / "addresses" / "mailboxes.tsv"
ROWS = [
    line.split("\t") for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")
]


@pytest.mark.parametrize(("text", "result"), ROWS)
def test_a_mailbox_has_its_domain_in_ascii_or_is_refused(text: str, result: str) -> None:
    if "@" in result.replace("the @", "").replace("one @", "").replace("no @", ""):
        assert normalize_mailbox(text) == result
    else:
        with pytest.raises(AddressError) as refused:
            normalize_mailbox(text)
        assert str(refused.value).startswith(result)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a" * 64 + "@example.com", ""),
        ("a" * 65 + "@example.com", "has more than 64 octets before the @"),
        ("ü" * 33 + "@example.com", "has more than 64 octets before the @"),
        ("a@" + "b" * 63 + ".example", ""),
        ("a@" + "b" * 64 + ".example", "has a domain that is too long"),
        ("a@" + "ü" * 60 + ".example", "has a domain that cannot be"),
        ("a" * 64 + "@" + ".".join(["b" * 63] * 3), "is longer than 254 octets"),
        ("a@" + ".".join(["b" * 63] * 4), "has a domain that is too long"),
        ("bo\tb@example.com", "holds a space or a control character"),
        ("bo\x00b@example.com", "holds a space or a control character"),
        ("bo\ud800b@example.com", "holds a space or a control character"),
        ("bob@exam\x00ple.com", "has a domain with a character"),
        ("bob@exam\ud800ple.com", "has a domain that cannot be"),
    ],
)
def test_what_is_too_long_or_no_text_is_refused(text: str, says: str) -> None:
    if not says:
        assert normalize_mailbox(text) == text
        return
    with pytest.raises(AddressError) as refused:
        normalize_mailbox(text)
    assert str(refused.value).startswith(says)


@given(text=st.text(max_size=30) | st.emails())
def test_the_form_of_a_mailbox_is_its_own_form(text: str) -> None:
    try:
        form = normalize_mailbox(text)
    except AddressError:
        return
    assert normalize_mailbox(form) == form
    assert form.rpartition("@")[2].isascii()
