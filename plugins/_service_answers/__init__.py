"""How the answers of every service that Apprise sends to are read, by Apprise's class.

Where a vendor documents nothing, its row says so, and what stock Apprise makes of the answer
stands. Channels that go to a provider of the team's own take a 402 for a reason to hold, too: no
other message would be paid for either (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.3).
"""

from collections.abc import Mapping

from msgspec.structs import replace

from router.bridge import ServiceAnswers
from router.plugins._service_answers.alerting import ALERTING_ANSWERS
from router.plugins._service_answers.chat import CHAT_ANSWERS
from router.plugins._service_answers.mail import MAIL_ANSWERS
from router.plugins._service_answers.messenger import MESSENGER_ANSWERS
from router.plugins._service_answers.push import PUSH_ANSWERS
from router.plugins._service_answers.sms import SMS_ANSWERS

SUCCESS_BODY = (
    b'{"ok": true, "success": true, "status": "success", "id": "sandbox", "code": 0, "errcode": 0, '
    b'"access_token": "sandbox", "expires_in": 3600, "data": {"authToken": "a", "userId": "b"}}'
)
"""A good answer of most services, all in one; where it would not do, the row has its own."""

_ROWS = {
    **CHAT_ANSWERS,
    **MAIL_ANSWERS,
    **MESSENGER_ANSWERS,
    **ALERTING_ANSWERS,
    **PUSH_ANSWERS,
    **SMS_ANSWERS,
}

SERVICE_ANSWERS: Mapping[str, ServiceAnswers] = {
    name: row if row.success else replace(row, success=SUCCESS_BODY) for name, row in _ROWS.items()
}

PAID_ANSWERS: Mapping[str, ServiceAnswers] = {
    name: replace(row, response_codes={402: "suspend", **row.response_codes})
    for name, row in SERVICE_ANSWERS.items()
}
"""The same for channels whose provider is the team's own choice and bill."""
