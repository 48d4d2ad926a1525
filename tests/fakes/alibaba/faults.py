"""What Alibaba Cloud refuses on demand, in its own words."""

from __future__ import annotations

from fakes.cloud import Fault, Refusal

REFUSALS = frozenset(
    {
        "throttled",  # Throttling.User; `text` is Retry-After
        "500",  # InternalError
        "expired",  # the session token has expired
        "code",  # any error: `text` is "Code: message", with `status`
        "xml",  # the same as XML, as gateways before the service write it
        "result",  # no refusal: `text` is the whole answer, as JSON
    }
)


def refusal(fault: Fault) -> Refusal:
    match fault.kind:
        case "throttled":
            headers = {"Retry-After": fault.text} if fault.text else {}
            return Refusal("Throttling.User", "Request was denied due to user flow control.", 400, headers)
        case "500":
            return Refusal("InternalError", "The request processing has failed due to some unknown error.", 500)
        case "expired":
            return expired_token()
        case _:
            return fault.told(fault.status)


def expired_token() -> Refusal:
    return Refusal("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.", 400)


def no_permission(action: str) -> Refusal:
    return Refusal("NoPermission", f"You are not authorized to do this action: {action}.", 403)
