"""What goes wrong on demand, on the wire or in the answer."""

from __future__ import annotations

from dataclasses import dataclass

from .refusal import Refusal, denied

KINDS = (
    "throttle",  # ThrottlingException; `text` is Retry-After
    "500",  # InternalFailure
    "503",  # ServiceUnavailable
    "reset",  # the connection is reset instead of an answer
    "hang",  # no answer ever
    "half",  # headers, half of the body, end of connection
    "cut",  # half of the body, and headers that agree with it, as from a careless proxy
    "garbage",  # status 200 and a body that is no answer
    "skew",  # as if this machine's clock were wrong
    "expired",  # the session token has expired
    "denied",  # AccessDenied; `text` is the reason after "because"
    "disabled",  # as in an opt-in region that is not enabled
    "code",  # any error: `text` is "Code: message"
)
WIRE = frozenset({"reset", "hang", "half", "cut", "garbage"})
AFTER_ANSWERING = frozenset({"half", "cut"})


@dataclass
class Fault:
    """Strikes the next `times` requests that match; empty matches all, a negative `times` never ends."""

    kind: str
    times: int = 1
    account: str = ""
    region: str = ""
    action: str = ""
    text: str = ""
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind} is none of {', '.join(KINDS)}")

    def strikes(self, account: str, region: str, action: str) -> bool:
        wanted = ((self.account, account), (self.region, region), (self.action, action))
        if self.times == self.struck or any(want not in ("", got) for want, got in wanted):
            return False
        self.struck += 1
        return True

    def refusal(self, service: str, action: str, identity: str) -> Refusal:
        query = service == "sts"
        match self.kind:
            case "throttle":
                code = "Throttling" if query else "ThrottlingException"
                return Refusal(code, "Rate exceeded", headers={"Retry-After": self.text} if self.text else {})
            case "500":
                return Refusal("InternalFailure", "The request processing has failed.", 500)
            case "503":
                return Refusal("ServiceUnavailable", "The service is unavailable.", 503)
            case "skew":
                code = "SignatureDoesNotMatch" if query else "InvalidSignatureException"
                return Refusal(code, "Signature expired: 20200101T000000Z is now earlier than 20200101T000500Z", 403)
            case "expired":
                code = "ExpiredToken" if query else "ExpiredTokenException"
                return Refusal(code, "The security token included in the request is expired", 403 if query else 400)
            case "denied":
                return denied(identity, f"{service}:{action}", self.text)
            case "disabled":
                code = "InvalidClientTokenId" if query else "UnrecognizedClientException"
                return Refusal(code, "The security token included in the request is invalid.", 403 if query else 400)
            case _:
                code, _, message = self.text.partition(": ")
                return Refusal(code, message or "No reason given")
