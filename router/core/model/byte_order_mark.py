"""The byte order mark that some editors and libraries write before a text in UTF-8.

JSON that is sent over a network must not begin with one, and who reads it may ignore it
(RFC 8259, 8.1). PowerShell, Excel and .NET write it unasked.
"""

from typing import AnyStr


def skip_byte_order_mark(text: AnyStr) -> AnyStr:
    """Return a text, or its bytes in UTF-8, without the mark at its beginning."""
    if isinstance(text, bytes):
        return text.removeprefix(b"\xef\xbb\xbf")
    return text.removeprefix("\ufeff")
