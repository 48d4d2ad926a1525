"""No error that AWS or botocore can give goes unnamed: the vendor's own lists are walked."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore import discovery
from botocore import exceptions as vendor
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.aws.error_kinds import kind_of_code, kind_of_fault
from crosstrail.clouds.aws.errors import mapped, translated
from crosstrail.errors import CloudError, CrosstrailError, InvalidRequest, Throttled

_ASKED_OF = {
    "cloudtrail": None,
    "athena": ("StartQueryExecution", "GetQueryExecution", "GetQueryResults", "StopQueryExecution"),
    "sts": ("AssumeRole", "GetCallerIdentity"),
    "organizations": ("ListAccounts",),
    "secretsmanager": ("GetSecretValue",),
}
_COMMON = """AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException IncompleteSignature InternalFailure
    InternalServerError InvalidAction InvalidClientTokenId InvalidSignatureException MalformedQueryString MissingAction
    MissingAuthenticationToken MissingAuthenticationTokenException MissingParameter NotAuthorized OptInRequired
    RequestExpired RequestLimitExceeded RequestTimeout RequestTimeTooSkewed ServiceUnavailable SignatureDoesNotMatch
    SlowDown Throttling ThrottlingException TooManyRequestsException UnrecognizedClientException
    UnknownOperationException ValidationError ValidationException"""
_NEVER_MET = (
    # Nothing here waits, pages, streams events, stubs, uses S3's addressing or endpoint discovery, or configures botocore
    # but with constants.
    vendor.WaiterError, vendor.WaiterConfigError, vendor.PaginationError, vendor.OperationNotPageableError,
    vendor.StubResponseError, vendor.InvalidS3AddressingStyleError, vendor.UnsupportedS3ArnError,
    vendor.UnsupportedS3ControlArnError, vendor.UnsupportedOutpostResourceError, vendor.UnsupportedS3ConfigurationError,
    vendor.UnsupportedS3AccesspointConfigurationError, vendor.UnsupportedS3ControlConfigurationError,
    vendor.InvalidS3UsEast1RegionalEndpointConfigError, vendor.InvalidEndpointDiscoveryConfigurationError,
    vendor.AwsChunkedWrapperError, vendor.UnseekableStreamError, vendor.MD5UnavailableError, vendor.InvalidExpressionError,
    vendor.UnknownClientMethodError, vendor.UnknownServiceStyle, vendor.ApiVersionNotFoundError,
    vendor.MissingParametersError, vendor.UnknownSignatureVersionError, vendor.UnsupportedSignatureVersionError,
    vendor.UnsupportedServiceProtocolsError, discovery.EndpointDiscoveryException,
)  # fmt: skip
ASKED = RequestInfo("prod", "us-east-1", "cloudtrail:LookupEvents", "Renew the keys.")


def codes() -> list[str]:
    session = botocore.session.Session()
    found = set(_COMMON.split())
    for service, operations in _ASKED_OF.items():
        model = session.get_service_model(service)
        for name in operations or model.operation_names:
            found |= {shape.error_code for shape in model.operation_model(name).error_shapes}
    return sorted(found)


def faults(of: type[Exception] = vendor.BotoCoreError) -> Iterator[type[Exception]]:
    for fault in of.__subclasses__():
        if not issubclass(fault, _NEVER_MET):
            yield fault
            yield from faults(fault)


FAULTS: set[type[Exception]] = {*faults(), ResponseParserError}


def answered(code: str, message: str = "", status: int = 400) -> ClientError:
    metadata = {"HTTPStatusCode": status, "RequestId": "req-1", "HTTPHeaders": {}}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "LookupEvents")


@pytest.mark.parametrize("code", codes())
def test_every_code_has_a_kind_and_is_told_with_its_request(code: str) -> None:
    assert kind_of_code(code), f"{code} is in no table of aws_error_kinds.py"
    error = translated(answered(code), ASKED)
    assert code in str(error)
    assert "req-1" in str(error)
    assert "prod in us-east-1" in str(error)


@pytest.mark.parametrize("fault", sorted(FAULTS, key=str))
def test_every_fault_has_a_kind(fault: type[Exception]) -> None:
    assert kind_of_fault(fault), f"{fault.__name__} is in no table of aws_error_kinds.py"
    told = translated(fault.__new__(fault), ASKED)
    assert fault.__name__ in str(told)
    assert told.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (403, CloudError),
        (404, CloudError),
        (429, Throttled),
        (500, CloudError),
        (599, CloudError),
    ],
)
def test_a_code_of_tomorrow_goes_by_its_status(status: int, kind: type[CrosstrailError]) -> None:
    assert isinstance(translated(answered("InventedException", "why", status), ASKED), kind)


def test_a_vendors_text_is_one_short_line_and_not_chained() -> None:
    with pytest.raises(InvalidRequest) as raised, mapped(ASKED):
        raise answered("InvalidParameterException", "bad\n\x1b[31m" + "x" * 5000)
    assert len(str(raised.value)) < 500
    assert str(raised.value).isprintable()
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
