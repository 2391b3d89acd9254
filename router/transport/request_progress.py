"""How far a request has come."""


class RequestProgress:
    """One request on its way; `sent` says whether it may have reached the provider."""

    sent = False
