"""Phone numbers have one form, or are refused with the reason and the remedy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import AddressError
from router.plugins._addresses.phone_number import normalize_number
from tests import TESTDATA

TABLE = TESTDATA / "addresses" / "phone_numbers.tsv"
ROWS = [
    line.split("\t") for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")
]


@pytest.mark.parametrize(("text", "country", "result"), ROWS)
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
