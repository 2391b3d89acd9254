"""Normalize phone numbers to the form that every provider takes: E.164.

Google's libphonenumber knows the possible numbers and the dialling prefixes of each country:
https://github.com/google/libphonenumber (its port phonenumbers, without the names of places).
E.164: https://www.itu.int/rec/T-REC-E.164. Common short codes of operators have 3 to
6 digits, sender ids up to 11 letters and digits:
https://www.twilio.com/docs/glossary/what-is-a-short-code,
https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id.
"""

import re
import unicodedata
from functools import lru_cache

from phonenumbers import (
    CountryCodeSource,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    parse,
    region_code_for_country_code,
    region_code_for_number,
)

from router import AddressError

NATIONAL_FORMAT_PROVIDERS = frozenset({"voipms"})
"""Providers to which Apprise sends North American numbers without the country code."""

NORTH_AMERICA = "+1"

MAX_CACHED_NUMBERS = 4096
"""Parsed numbers kept in memory; parsing one takes about 60 µs."""

STAND_IN_NUMBER = "+12015550123"
"""Replaces a shorter number while Apprise reads a URL. Nobody has this number."""

MIN_APPRISE_DIGITS = 10
"""Fewest digits that Apprise's plugins accept as a phone number. Numbers of the Faroe Islands,
Greenland, Andorra and New Caledonia have 9, with the country code."""

MIN_DIGITS = 7
"""Fewest digits of a number without +; fewer may be a short code."""

MIN_COUNTRY_DIGITS = 11
"""Fewest digits without + that are read as a number with its country code, as 12125550100; 10
digits are a national number in North America, India and France."""

MIN_DIGITS_AFTER_SLASH = 5
"""Fewest digits after a slash in one number; fewer are the end of a range, as in 12345/46."""

MIN_DIGITS_AFTER_SIGN = 10
"""Fewest digits that Apprise reads as a phone number after a sign; fewer may name a group."""

_SIGNS = "!#$%&'*:;=?@^_`|~"

_PLUS = re.compile(r"[+\uff0b]")
_NUMBER = re.compile(r"(?:tel:)?[+\uff0b]?[\d\s().\-\u2010-\u2015\u2212/~]+")
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,11}")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")

WRITE_PLUS = "write it with + and the country code, as +12125550100"
WRITE_PLUS_OR_COUNTRY = f"{WRITE_PLUS}, or say its `country`"

_WRONG_LENGTHS = {
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.INVALID_LENGTH: "of a wrong length",
    ValidationResult.INVALID_COUNTRY_CODE: "of no country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "without its area code",
}


def looks_like_number(text: str) -> bool:
    """Return whether a text can be a phone number: it has digits and no letter.

    A sign before `MIN_DIGITS_AFTER_SIGN` digits does not change that: Apprise's plugins drop `#`
    and the like, and would call #2125550123 as +2125550123.
    """
    text = text.strip()
    digits = sum(map(str.isdigit, text))
    if digits >= MIN_DIGITS_AFTER_SIGN:
        text = text.lstrip(_SIGNS)
    return bool(digits) and _NUMBER.fullmatch(text) is not None


def check_fixed_number(provider: str, text: str) -> None:
    """Raise `AddressError` for a number in a URL that its provider could read as another number.

    Apprise puts a + before bare digits of any country. `MIN_COUNTRY_DIGITS` digits or more usually
    begin with a country code; fewer are as likely a number of the operator's own country.
    """
    if (
        provider in NATIONAL_FORMAT_PROVIDERS
        or not looks_like_number(text)
        or _SHORT_CODE.fullmatch(text)
    ):
        return
    if not _PLUS.search(text):
        digits = "".join(filter(str.isdigit, text))
        if len(digits) < MIN_COUNTRY_DIGITS or digits.startswith("0"):
            raise AddressError(
                "has no country code; write + and the country code before the number"
            )
        text = f"+{digits}"
    normalize_number(text, is_fixed=True)


def format_for_provider(provider: str, number: str) -> str:
    """Return a number in E.164 in the form of a provider, which its Apprise scheme names."""
    return number.removeprefix(NORTH_AMERICA) if provider in NATIONAL_FORMAT_PROVIDERS else number


def write_stand_in(number: str) -> str:
    """Return the text that Apprise reads for an address, which need not be a phone number."""
    is_short = _E164.fullmatch(number) is not None and len(number) <= MIN_APPRISE_DIGITS
    return STAND_IN_NUMBER if is_short else number


def normalize_number(text: str, country: str = "", *, is_fixed: bool = False) -> str:
    """Return a phone number in E.164, as +12125550100; raises `AddressError`.

    A number without + is read by the dialling prefixes of `country` (ISO 3166). An operator's own
    destination (`is_fixed`) may be a short code or a sender id. Invisible direction marks, which
    phones copy with a number, are dropped.
    """
    text = "".join(char for char in text if unicodedata.category(char) != "Cf").strip()
    if is_fixed and (_SHORT_CODE.fullmatch(text) or _SENDER_ID.fullmatch(text)):
        return text
    return _normalize(text, country)


@lru_cache(maxsize=MAX_CACHED_NUMBERS)
def _normalize(text: str, country: str) -> str:
    if not text:
        raise AddressError("is empty")
    if not _NUMBER.fullmatch(text):
        raise AddressError(f"is not a phone number; {WRITE_PLUS}")
    _check_slash(text)
    if not _PLUS.search(text):
        _check_national(text, country)
    number = _parse(text, country)
    reason = is_possible_number_with_reason(number)
    if reason != ValidationResult.IS_POSSIBLE:
        raise AddressError(f"is a number that is {_WRONG_LENGTHS[reason]}; {WRITE_PLUS}")
    if number.country_code_source == CountryCodeSource.FROM_DEFAULT_COUNTRY:
        _check_missing_plus(text, number)
    form = format_number(number, PhoneNumberFormat.E164)
    if not _E164.fullmatch(form):
        raise AddressError(f"is not a phone number; {WRITE_PLUS}")
    return form


@lru_cache(maxsize=MAX_CACHED_NUMBERS)
def find_country(number: str) -> str:
    """Return the country (ISO 3166) of a number in E.164, empty where there is none.

    Countries that share a code differ in the digits after it: +1 212 is in the United States,
    +1 416 in Canada. An unassigned number counts as one of the code's main country.
    """
    parsed = parse(number)
    code = parsed.country_code or 0
    region = region_code_for_number(parsed) or region_code_for_country_code(code)
    return "" if region in {"001", "ZZ"} else region


def _parse(text: str, country: str) -> PhoneNumber:
    try:
        return parse(text, country or None, keep_raw_input=True)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            fault = f"begins with no country code; {WRITE_PLUS}"
        else:
            fault = f"is not a phone number; {WRITE_PLUS}"
        raise AddressError(fault) from None


def _check_national(text: str, country: str) -> None:
    """Raise `AddressError` for a number without + and without a country.

    00 dials abroad from most countries and not from all: 001 65 6123 4567 reaches Singapore
    when it is dialled in Hong Kong, and the United States when it is dialled in Germany.
    """
    if not country:
        raise AddressError(f"has no country code; {WRITE_PLUS_OR_COUNTRY}")
    if sum(map(str.isdigit, text)) < MIN_DIGITS:
        raise AddressError(f"may be a short code; {WRITE_PLUS}")


def _check_slash(text: str) -> None:
    _, slash, after = text.partition("/")
    if slash and ("/" in after or sum(map(str.isdigit, after)) < MIN_DIGITS_AFTER_SLASH):
        raise AddressError("may be several numbers; write one, without a slash")


def _check_missing_plus(text: str, number: PhoneNumber) -> None:
    """Raise `AddressError` for digits that are a valid number only with a + before them."""
    if is_valid_number(number):
        return
    try:
        with_plus = parse(f"+{text}")
    except NumberParseException:
        return
    if is_valid_number(with_plus):
        raise AddressError(f"may lack its +; {WRITE_PLUS}")
