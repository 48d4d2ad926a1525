"""What Volcengine refuses on demand, in its own words."""

from __future__ import annotations

from fakes.cloud import Fault, Refusal

REFUSALS = frozenset(
    {
        "429",  # flow control; `text` is Retry-After
        "500",  # InternalError
        "expired",  # the session token has expired
        "code",  # any error: `text` is "Code: message", with `status`
        "envelope",  # the same in the envelope of status 200
        "result",  # no refusal: `text` is the Result, as JSON
    }
)


def refusal(fault: Fault) -> Refusal:
    match fault.kind:
        case "429":
            headers = {"Retry-After": fault.text} if fault.text else {}
            return Refusal("FlowLimitExceeded", "Request was rejected because of flow control.", 429, headers)
        case "500":
            return Refusal("InternalError", "The request has failed due to an unknown error.", 500)
        case "expired":
            return invalid_token("token is expired")
        case _:
            return fault.told(200 if fault.kind == "envelope" else fault.status)


def invalid_token(why: str) -> Refusal:
    return Refusal("InvalidSecretToken", f"Invalid secret token, msg: {why}.", 401)
