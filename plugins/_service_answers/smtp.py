"""Refusals of mail servers: those about the sender, and those about the recipient.

A server may refuse a sender as late as at RCPT or after the message: Postfix does by default
(`smtpd_delay_reject`, https://www.postfix.org/SMTPD_ACCESS_README.html#timing), Exchange and Amazon
SES after the message. Such a refusal repeats for every recipient, so the channel is suspended.

Enhanced codes: https://www.iana.org/assignments/smtp-enhanced-status-codes
Texts of Postfix: https://www.postfix.org/postconf.5.html, of Exim:
https://www.exim.org/exim-html-current/doc/html/spec_html/ch-access_control_lists.html, of Exchange
Online: https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online,
of Amazon SES: https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html and
https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html, of Gmail:
https://support.google.com/a/answer/3726730, of SendGrid:
https://www.twilio.com/docs/sendgrid/for-developers/sending-email/sender-identity, of Zoho:
https://www.zoho.com/mail/help/smtp-error-codes.html
"""

import re

from router.bridge import ErrorCode, ServiceAnswers

SENDER_REFUSALS = (
    "sender address rejected",  # Postfix: not owned by user, not logged in, domain not found
    "not owned by user",
    "sender verify failed",  # Exim
    "client host rejected",  # Postfix
    "blocked using",  # Postfix, by a list of hosts that send spam
    "helo command rejected",  # Postfix
    "permissions to send as this sender",  # Exchange, 5.7.60
    "sendasdenied",  # Exchange
    "address is not verified",  # Amazon SES
    "sending paused for this account",  # Amazon SES
    "throttling failure",  # Amazon SES: 454, for its own daily quota and rate
    "daily message quota exceeded",  # Amazon SES
    "daily user sending limit exceeded",  # Gmail
    "maximum sending rate exceeded",  # Amazon SES
    "verified sender identity",  # SendGrid
)
"""Phrases of refusals that are about the sender, in lower case."""

AMBIGUOUS_REFUSALS = (
    "not authenticated",  # Exchange: of a sender, or for a group that takes no stranger's mail
    "authentication required",  # Exim; Exchange, for a mailbox that takes no stranger's mail
    "authrequired",  # Exchange, the same
    "must authenticate",
    "not allowed to send",  # Mailgun, of a domain; mailing lists, of who may write to them
    "may not send",
)
"""Phrases that servers use for senders and for recipients alike.

The recipient waits first, and the channel after several.
"""

RELAY_REFUSALS = (
    "relay access denied",  # Postfix
    "relaying denied",  # sendmail
    "relay not permitted",  # Exim
    "relaying disallowed",  # Zoho
    "not allowed to relay",  # Zoho
    "unable to relay",  # Exchange, 5.7.54
    "rcpthosts",  # qmail
)
"""Phrases of a server that relays this sender's mail to some domains only, or to none.

One refusal does not show which, so the recipient waits first, and the channel after several.
"""

SENDER_CODES = frozenset(
    {
        *("5.1.7", "5.1.8", "5.1.90"),  # the sender's address or system; Exchange: its daily quota
        "5.4.5",  # Gmail: the account's daily limit
        *("5.7.3", "5.7.8", "5.7.9", "5.7.10", "5.7.11", "5.7.13", "5.7.14"),  # the login
        *("5.7.20", "5.7.21", "5.7.22", "5.7.23", "5.7.25", "5.7.26", "5.7.27"),  # DKIM, SPF, DNS
        *("5.7.57", "5.7.60", "5.7.64"),  # Exchange: login, send as, tenant
        *(
            "5.7.501",
            "5.7.502",
            "5.7.503",
            "5.7.705",
            "5.7.708",
        ),  # Exchange: blocked
    }
)
"""Enhanced codes of refusals that are about the sender."""

_RECIPIENTS = r"(?s)^(?!.*recipient address rejected)"
_PHRASE = rf"{_RECIPIENTS}.*?({'|'.join(SENDER_REFUSALS + RELAY_REFUSALS)})"
_AMBIGUOUS = rf"{_RECIPIENTS}.*?({'|'.join(AMBIGUOUS_REFUSALS)})"
_SENDER_CODE = rf"^\s*({'|'.join(map(re.escape, sorted(SENDER_CODES)))})\b"
_ENHANCED = r"^\s*([245]\.\d{1,3}\.\d{1,3})\b"

SMTP_ANSWERS = ServiceAnswers(
    source="https://www.iana.org/assignments/smtp-enhanced-status-codes",
    codes=tuple(
        ErrorCode(path="", matches=matches)
        for matches in (_PHRASE, _SENDER_CODE, _AMBIGUOUS, _ENHANCED)
    ),
    response_codes={
        "5.1.1": "gone",
        "5.7.54": "refused",
        **dict.fromkeys((*RELAY_REFUSALS, *AMBIGUOUS_REFUSALS), "refused"),
        **dict.fromkeys((*SENDER_REFUSALS, *SENDER_CODES), "suspend"),
    },
)
"""Meanings of a mail server's refusals; 5.1.1 is a mailbox that does not exist."""
