"""The error codes of Amazon's query APIs, which send mail and text messages."""

from router.bridge import ErrorCode

AWS = {
    "suspend": (
        "accessdenied",
        "accessdeniedexception",
        "authorizationerror",
        "expiredtoken",
        "incompletesignature",
        "invalidclienttokenid",
        "invalidsecurity",
        "missingauthenticationtoken",
        "notauthorized",
        "optinrequired",
        "signaturedoesnotmatch",
    ),
    "retry": (
        "internalerror",
        "internalfailure",
        "requestexpired",
        "serviceunavailable",
    ),
    "throttled": ("throttled", "throttling", "throttlingexception"),
}
"""Error codes that all of Amazon's query APIs share."""

AWS_CODE = ErrorCode("", r"<Code>\s*([A-Za-z.]{1,60})\s*</Code>")
