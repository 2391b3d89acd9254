"""Phone numbers and mailboxes have one form, or are refused with the reason and the remedy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import AddressError
from router.plugins._mail_address import normalize_mailbox
from router.plugins._phone_number import normalize_number

FOLDER = Path(__file__).parent.parent / "testdata" / "addresses"


def rows(name: str) -> list[list[str]]:
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(("text", "country", "result"), rows("phone_numbers.tsv"))
def test_a_phone_number_is_read_in_its_country_or_refused(
    text: str, country: str, result: str
) -> None:
    if result.startswith("+"):
        assert normalize_number(text, country) == result
    else:
        with pytest.raises(AddressError) as refused:
            normalize_number(text, country)
        assert str(refused.value).startswith(result)
        assert "write " in str(refused.value)


@pytest.mark.parametrize(("text", "result"), rows("mailboxes.tsv"))
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


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("12345", "12345"),
        ("911", "911"),
        ("ACME", "ACME"),
        ("Acme-2", "Acme-2"),
        ("+1 212 555 0100", "+12125550100"),
    ],
)
def test_a_short_code_or_a_sender_id_is_the_operator_s_to_write(text: str, form: str) -> None:
    for country in ("", "US", "DE"):
        assert normalize_number(text, country, is_fixed=True) == form
    if form == text:
        for country in ("", "US", "DE"):
            with pytest.raises(AddressError):
                normalize_number(text, country)


@given(
    text=st.text("0123456789 ()+-./", max_size=20),
    country=st.sampled_from(["US", "GB", "DE", "HK", "AU", "IT", "RU", "AQ"]),
)
def test_a_number_that_stands_by_itself_is_the_same_in_every_country(
    text: str, country: str
) -> None:
    try:
        form = normalize_number(text)
    except AddressError:
        return
    assert normalize_number(text, country) == form
    assert normalize_number(form) == form


@given(text=st.text(max_size=30) | st.emails())
def test_the_form_of_a_mailbox_is_its_own_form(text: str) -> None:
    try:
        form = normalize_mailbox(text)
    except AddressError:
        return
    assert normalize_mailbox(form) == form
    assert form.rpartition("@")[2].isascii()
