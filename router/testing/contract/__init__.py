"""The proof that a channel keeps the contract, in parts."""

from router.testing.contract.addresses import AddressTests
from router.testing.contract.changes import ChangeTests
from router.testing.contract.outcomes import OutcomeTests
from router.testing.contract.schema import SchemaTests
from router.testing.contract.secrecy import SecrecyTests
from router.testing.contract.stage import ResponseCase
from router.testing.contract.texts import TextTests

__all__ = ["ChannelContract", "ResponseCase"]


class ChannelContract(
    OutcomeTests, ChangeTests, AddressTests, SecrecyTests, TextTests, SchemaTests
):
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
