"""Firebase Cloud Messaging: its token endpoint and `messages:send`.

What its bodies may say stands in `fcm_format`; tokens are as in
https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import base64
import time
from functools import cache
from urllib.parse import parse_qs

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from router.channel import Request
from router.testing import FakeProvider, ProviderReply
from tests.fakes.answer import path_of, read_json, reply_json
from tests.fakes.fcm_format import find_fault

TOKEN_URI = "https://oauth2.googleapis.com/token"
HEADERS = {
    *("authorization", "content-type", "content-length"),
    *("host", "accept", "accept-encoding", "user-agent"),
}
"""What a send says in its head: the first three are documented, the others HTTP's own."""
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@cache
def service_key() -> rsa.RSAPrivateKey:
    """Return the key of the one service account."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def refuse(status: int, name: str, message: str, code: str | None = None) -> ProviderReply:
    """Return an error as FCM writes it."""
    kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    details = [{"@type": kind, "errorCode": code}] if code else []
    error = {"code": status, "message": message, "status": name, "details": details}
    return reply_json({"error": error}, status=status)


UNREGISTERED = refuse(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED")
BAD_TOKEN = refuse(
    400,
    "INVALID_ARGUMENT",
    "The registration token is not a valid FCM registration token",
    "INVALID_ARGUMENT",
)
SENDER_MISMATCH = refuse(403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH")
FORBIDDEN = refuse(
    403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied on resource"
)
THIRD_PARTY = refuse(
    401,
    "UNAUTHENTICATED",
    "Auth error from APNS or Web Push Service",
    "THIRD_PARTY_AUTH_ERROR",
)
BAD_FIELD = reply_json(
    {
        "error": {
            "code": 400,
            "message": "Request contains an invalid argument.",
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": "message.token", "description": "Invalid"}],
                },
            ],
        }
    },
    status=400,
)
QUOTA = reply_json(
    {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}},
    status=429,
    retry_after="17",
)
UNAUTHENTICATED = refuse(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")


class Fcm(FakeProvider):
    """Issues tokens for its one service account and takes messages that bear them.

    `send_script` and `token_script` hold answers for requests of that kind; `refused` those for
    messages to a device, by its token.
    """

    project = "demo-project"
    key_id = "0123456789abcdef"
    email = "router@demo-project.iam.gserviceaccount.com"
    hosts: tuple[str, ...] = ("fcm.googleapis.com", "oauth2.googleapis.com")

    def __init__(self) -> None:
        super().__init__(answer=self.answer_to)
        self.issued: set[str] = set()
        self.lifetime: object = 3599
        self.refused: dict[str, ProviderReply] = {}
        self.send_script: list[ProviderReply] = []
        self.token_script: list[ProviderReply] = []

    @property
    def service_account(self) -> str:
        """The service account file, as the Firebase console would hand it out."""
        pem = service_key().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return msgspec.json.encode(
            {
                "type": "service_account",
                "project_id": self.project,
                "private_key_id": self.key_id,
                "private_key": pem.decode(),
                "client_email": self.email,
                "client_id": "1",
                "auth_uri": "https://accounts.google.com/o/oauth2/auth",
                "token_uri": TOKEN_URI,
            }
        ).decode()

    @property
    def sends(self) -> list[Request]:
        """The requests to `messages:send`."""
        return [r for r in self.requests if path_of(r).endswith("/messages:send")]

    @property
    def token_requests(self) -> list[Request]:
        """The requests to the token endpoint."""
        return [r for r in self.requests if path_of(r) == "/token"]

    def answer_to(self, request: Request) -> ProviderReply:
        """Return the scripted answer, if there is one left, else what Google would say."""
        if path_of(request) == "/token":
            return self.token_script.pop(0) if self.token_script else self.issue(request)
        return self.send_script.pop(0) if self.send_script else self.take(request)

    def issue(self, request: Request) -> ProviderReply:
        """Return an access token, or the error Google's token endpoint would answer."""
        form = parse_qs(request.body.decode())
        if form.get("grant_type") != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
            return reply_json({"error": "unsupported_grant_type"}, status=400)
        fault = self.fault_of(form.get("assertion", [""])[0])
        if fault:
            answer = {"error": "invalid_grant", "error_description": fault}
            return reply_json(answer, status=400)
        token = f"ya29.token-{len(self.issued) + 1}"
        self.issued.add(token)
        return reply_json(
            {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}
        )

    def fault_of(self, assertion: str) -> str:
        """Return what is wrong with a signed claim; empty when nothing is."""
        parts = assertion.split(".")
        if len(parts) != 3:
            return "not a JWT"
        head, claims = (_read(part) for part in parts[:2])
        if head != {"typ": "JWT", "alg": "RS256", "kid": self.key_id}:
            return f"bad header {head}"
        try:
            service_key().public_key().verify(
                _unpad(parts[2]),
                f"{parts[0]}.{parts[1]}".encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except InvalidSignature:
            return "Invalid JWT Signature."
        issued, expires = claims["iat"], claims["exp"]
        if not isinstance(issued, int) or not isinstance(expires, int):
            return "times must be whole numbers"
        if not (abs(issued - time.time()) < 60 and issued < expires <= issued + 3600):
            return "Invalid JWT: Token must be a short-lived token"
        expected = {"iss": self.email, "aud": TOKEN_URI, "scope": SCOPE}
        wrong = {name for name, value in expected.items() if claims.get(name) != value}
        return f"bad claims {wrong}" if wrong else ""

    def take(self, request: Request) -> ProviderReply:
        """Return the name of the message, or what is wrong with the request."""
        if (request.method, path_of(request)) != (
            "POST",
            f"/v1/projects/{self.project}/messages:send",
        ):
            return refuse(404, "NOT_FOUND", "Requested entity was not found.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.issued:
            return UNAUTHENTICATED
        if fault := _find_in_headers(request) or find_fault(request.body):
            return refuse(400, "INVALID_ARGUMENT", fault, "INVALID_ARGUMENT")
        if refusal := self.refused.get(_token_in(request)):
            return refusal
        return reply_json({"name": f"projects/{self.project}/messages/{len(self.sends)}"})


def _find_in_headers(request: Request) -> str:
    if not request.headers.get("content-type", "").startswith("application/json"):
        return "Invalid JSON payload received."
    unknown = request.headers.keys() - HEADERS
    return f"headers that nobody documents: {unknown}" if unknown else ""


def _read(part: str) -> dict[str, object]:
    return msgspec.json.decode(_unpad(part), type=dict[str, object])


def _unpad(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _token_in(request: Request) -> str:
    message = read_json(request)["message"]
    return str(message.get("token")) if isinstance(message, dict) else ""
