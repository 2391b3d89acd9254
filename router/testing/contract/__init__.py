"""The proof that a channel keeps the contract, in parts."""

from router.testing.contract.addresses import Addresses
from router.testing.contract.changes import Changes
from router.testing.contract.outcomes import Outcomes
from router.testing.contract.schema import Schema
from router.testing.contract.secrecy import Secrecy
from router.testing.contract.stage import Answer
from router.testing.contract.texts import Texts

__all__ = ["Answer", "ChannelContract"]


class ChannelContract(Outcomes, Changes, Addresses, Secrecy, Texts, Schema):
    """Every test a channel must pass; subclass it in a test file.

    >>> class TestPager(ChannelContract):
    ...     channel = Pager
    ...     settings = {"token": "123456789:abcdefg_hijklmnop"}
    ...     address = "12315544"
    ...     answers = {
    ...         "ok": Answer(means=Delivered, body=b'{"ok": true}'),
    ...         "a number that is gone": Answer(means=Rejected, status=410, forget=True),
    ...     }
    """
