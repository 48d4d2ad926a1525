"""What AWS refuses on demand, in its own words."""

from __future__ import annotations

from fakes.cloud import Fault, Refusal

REFUSALS = frozenset(
    {
        "throttle",  # ThrottlingException; `text` is Retry-After
        "500",  # InternalFailure
        "503",  # ServiceUnavailable
        "skew",  # as if this machine's clock were wrong
        "expired",  # the session token has expired
        "denied",  # AccessDenied; `text` is the reason after "because"
        "disabled",  # as in an opt-in region that is not enabled
        "code",  # any error: `text` is "Code: message"
    }
)


def refusal(fault: Fault, service: str, action: str, identity: str) -> Refusal:
    match fault.kind:
        case "throttle":
            headers = {"Retry-After": fault.text} if fault.text else {}
            return Refusal("Throttling" if service == "sts" else "ThrottlingException", "Rate exceeded", 400, headers)
        case "500":
            return Refusal("InternalFailure", "The request processing has failed.", 500)
        case "503":
            return Refusal("ServiceUnavailable", "The service is unavailable.", 503)
        case "skew":
            return mismatch(service, "Signature expired: 20200101T000000Z is now earlier than 20200101T000500Z")
        case "expired":
            return expired(service)
        case "denied":
            return denied(identity, f"{service}:{action}", fault.text)
        case "disabled":
            return unknown_key(service)
        case _:
            return fault.told(400)


def mismatch(service: str, why: str) -> Refusal:
    return Refusal("SignatureDoesNotMatch" if service == "sts" else "InvalidSignatureException", why, 403)


def expired(service: str) -> Refusal:
    message = "The security token included in the request is expired"
    return Refusal("ExpiredToken", message, 403) if service == "sts" else Refusal("ExpiredTokenException", message)


def unknown_key(service: str) -> Refusal:
    message = "The security token included in the request is invalid."
    if service == "sts":
        return Refusal("InvalidClientTokenId", message, 403)
    return Refusal("UnrecognizedClientException", message)


def denied(identity: str, action: str, because: str = "") -> Refusal:
    """In the words AWS uses, so that what reads them can be tested."""
    reason = because or f"no identity-based policy allows the {action} action"
    return Refusal("AccessDenied", f"User: {identity} is not authorized to perform: {action} because {reason}", 403)
