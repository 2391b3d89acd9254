"""Tables of what the answers of every service mean, by the name of Apprise's class.

A row without documented errors says so in its `source`, and stock Apprise's reading decides.
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
"""The sandbox's answer of most services: the fields of all of them. Other rows have their own."""

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
"""The same rows for channels whose provider the team pays: a 402 suspends the channel, since no
other message would be paid for either (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.3)."""
