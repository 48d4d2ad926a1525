"""What a catalog server's refusal means, in words: that of an Iceberg REST catalog, or of AWS Glue.

Decides by the kind of the library's error, or the service's code, and repeats nothing that the server said. None for an error
that is no catalog's. It imports none of the libraries: which of them is in use is known by who raised.
"""

from __future__ import annotations

from crosstrail.errors import LakeError

_DENIED_HINT = "Allow it to the identity of lake.account, or of lake.catalog_token."
_KEYS_HINT = "See lake.catalog_token; of a catalog of AWS, lake.account and the machine's clock."
_LATER_HINT = "Try again later: what is committed stays."
_SAID = {
    "ForbiddenError": ("denies access", _DENIED_HINT),
    "UnauthorizedError": ("does not accept the credentials", _KEYS_HINT),
    "OAuthError": ("does not accept the credentials", _KEYS_HINT),
    "AuthorizationExpiredError": ("says that the credentials have expired", _KEYS_HINT),
    "TooManyRequestsError": ("throttles requests", _LATER_HINT),
    "ServiceUnavailableError": ("is not available", _LATER_HINT),
    "ServerError": ("failed", "See the catalog server's log."),
    "CommitStateUnknownException": ("did not say whether it made the change", _LATER_HINT),
    "BadRequestError": ("does not take the request", "See lake.catalog, lake.warehouse and lake.signing_name."),
    "RESTError": ("gave no answer of an Iceberg REST catalog", "See lake.catalog."),
}
"""By the name of PyIceberg's error."""
_CODES = {
    "AccessDeniedException": "ForbiddenError",
    "AccessDenied": "ForbiddenError",
    "UnauthorizedOperation": "ForbiddenError",
    "ExpiredTokenException": "AuthorizationExpiredError",
    "ExpiredToken": "AuthorizationExpiredError",
    "UnrecognizedClientException": "UnauthorizedError",
    "InvalidSignatureException": "UnauthorizedError",
    "InvalidClientTokenId": "UnauthorizedError",
    "ThrottlingException": "TooManyRequestsError",
    "InternalServiceException": "ServerError",
}
"""By AWS's code, which of these says the same."""
_CONNECTION = "requests."
_NOT_REACHED = ("cannot be reached", "See lake.catalog and its server.")


def catalog_fault(error: BaseException) -> LakeError | None:
    """The error of ours for a catalog server's; `error` or one of its causes is the library's."""
    cause: BaseException | None = error
    found = None
    while cause is not None and found is None:
        found = _meaning(cause)
        cause = cause.__cause__
    return LakeError(f"the lake's catalog {found[0]}", hint=found[1]) if found else None


def may_have_committed(error: BaseException) -> bool:
    """Whether the connection broke while a catalog server was asked for a change, so that nobody knows what became of it."""
    return type(error).__module__.startswith(_CONNECTION)


def _meaning(error: BaseException) -> tuple[str, str] | None:
    kind = type(error)
    if kind.__module__ == "pyiceberg.exceptions":
        return _SAID.get(kind.__name__)
    if kind.__module__.startswith("botocore."):
        response = getattr(error, "response", None)
        code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
        return _SAID.get(_CODES.get(code, ""), _NOT_REACHED if not response else (f"failed ({code[:64]})", _LATER_HINT))
    if kind.__module__.startswith(_CONNECTION) and kind.__name__ != "HTTPError":
        return _NOT_REACHED
    return None
