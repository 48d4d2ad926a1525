"""The kind, in errors.py, of every vendor code and fault that an AWS call can meet: tables and nothing else.

A code or fault that is in no table is treated by its HTTP status, and is a gap: the tests walk the vendor's own lists.
Imported only once botocore is in use.
"""

from __future__ import annotations

from aiohttp import ClientError as WireError
from botocore import exceptions as vendor
from botocore.parsers import ResponseParserError

from crosstrail.clouds.aws.bounds import AnswerTooLong
from crosstrail.errors import (
    AccessDenied,
    BadTimeRange,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    SqlRejected,
    StalePageToken,
    Throttled,
    UnsupportedByCloud,
)

_CODES: dict[type[CrosstrailError], str] = {
    AccessDenied: """AccessDenied AccessDeniedException AccessDeniedForDependencyException NotAuthorized
        UnauthorizedOperation AuthorizationError InsufficientDependencyServiceAccessPermissionException
        InsufficientIAMAccessPermissionException NotOrganizationManagementAccountException
        NotOrganizationMasterAccountException OperationNotPermittedException""",
    Throttled: """BandwidthLimitExceeded LimitExceededException MaxConcurrentQueriesException PriorRequestNotComplete
        ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown
        ThrottledException Throttling ThrottlingException TooManyRequestsException""",
    CloudUnavailable: """ConcurrentModificationException ConflictException GenerateResponseException InternalError
        InternalFailure InternalServerError InternalServerException InternalServiceError RequestTimeout
        RequestTimeoutException ServiceException ServiceUnavailable ServiceUnavailableException""",
    CredentialsExpired: "ExpiredToken ExpiredTokenException TokenRefreshRequired",
    CredentialsError: """AuthFailure CloudTrailInvalidClientTokenIdException DecryptionFailure IncompleteSignature
        InvalidAccessKeyId InvalidClientTokenId InvalidSignatureException InvalidToken MissingAuthenticationToken
        MissingAuthenticationTokenException NotSignedUp OptInRequired RequestExpired RequestTimeTooSkewed
        SignatureDoesNotMatch SubscriptionRequiredException UnrecognizedClientException""",
    SqlRejected: "InvalidQueryStatementException",
    StalePageToken: "InvalidNextToken InvalidNextTokenException InvalidPaginationTokenException",
    BadTimeRange: "InvalidDateRangeException InvalidTimeRangeException",
    UnsupportedByCloud: """AWSOrganizationsNotInUseException CloudTrailAccessNotEnabledException
        CloudWatchLogsDeliveryUnavailableException InsightNotEnabledException NoManagementAccountSLRExistsException
        OrganizationNotInAllFeaturesModeException OrganizationsNotInUseException RegionDisabledException
        ResourceTypeNotSupportedException UnknownOperationException UnsupportedAPIEndpointException
        UnsupportedOperationException""",
    InvalidRequest: """AccountHasOngoingImportException AccountNotFoundException AccountNotRegisteredException
        AccountRegisteredException CannotDelegateManagementAccountException ChannelARNInvalidException
        ChannelAlreadyExistsException ChannelExistsForEDSException ChannelMaxLimitExceededException
        ChannelNotFoundException CloudTrailARNInvalidException DelegatedAdminAccountLimitExceededException
        EventDataStoreARNInvalidException EventDataStoreAlreadyExistsException EventDataStoreFederationEnabledException
        EventDataStoreHasOngoingImportException EventDataStoreMaxLimitExceededException EventDataStoreNotFoundException
        EventDataStoreTerminationProtectedException ImportNotFoundException InactiveEventDataStoreException
        InactiveQueryException InsufficientEncryptionPolicyException InsufficientS3BucketPolicyException
        InsufficientSnsTopicPolicyException InvalidAction InvalidCloudWatchLogsLogGroupArnException
        InvalidCloudWatchLogsRoleArnException InvalidEventCategoryException InvalidEventDataStoreCategoryException
        InvalidEventDataStoreStatusException InvalidEventSelectorsException InvalidHomeRegionException
        InvalidImportSourceException InvalidInputException InvalidInsightSelectorsException InvalidKmsKeyIdException
        InvalidLookupAttributesException InvalidMaxResultsException InvalidParameterCombination
        InvalidParameterCombinationException InvalidParameterException InvalidParameterValue InvalidQueryParameter
        InvalidQueryStatusException InvalidRequestException InvalidS3BucketNameException InvalidS3PrefixException
        InvalidSnsTopicNameException InvalidSourceException InvalidTagParameterException InvalidTokenException
        InvalidTrailNameException KmsException KmsKeyDisabledException KmsKeyNotFoundException
        MalformedPolicyDocument MalformedQueryString MaximumNumberOfTrailsExceededException MissingAction
        MissingParameter PackedPolicyTooLarge QueryIdNotFoundException ResourceARNNotValidException
        ResourceNotFoundException ResourcePolicyNotFoundException ResourcePolicyNotValidException
        S3BucketDoesNotExistException SerializationException ServiceQuotaExceededException TagsLimitExceededException
        TrailAlreadyExistsException TrailNotFoundException TrailNotProvidedException ValidationError
        ValidationException""",
}
_KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

_KIND_OF_FAULT: dict[type[Exception], type[CrosstrailError]] = {
    AnswerTooLong: CloudUnavailable,
    vendor.HTTPClientError: CloudUnavailable,
    vendor.ConnectionError: CloudUnavailable,
    vendor.IncompleteReadError: CloudUnavailable,
    vendor.ChecksumError: CloudUnavailable,
    vendor.FlexibleChecksumError: CloudUnavailable,
    vendor.CapacityNotAvailableError: CloudUnavailable,
    ResponseParserError: CloudUnavailable,
    WireError: CloudUnavailable,
    vendor.SSOError: CredentialsExpired,
    vendor.TokenRetrievalError: CredentialsExpired,
    vendor.LoginError: CredentialsExpired,
    vendor.LoginInsufficientPermissions: CredentialsError,
    vendor.NoCredentialsError: CredentialsError,
    vendor.NoAuthTokenError: CredentialsError,
    vendor.PartialCredentialsError: CredentialsError,
    vendor.CredentialRetrievalError: CredentialsError,
    vendor.UnknownCredentialError: CredentialsError,
    vendor.UnknownTokenProviderError: CredentialsError,
    vendor.RefreshWithMFAUnsupportedError: CredentialsError,
    vendor.MetadataRetrievalError: CredentialsError,
    vendor.InvalidIMDSEndpointError: CredentialsError,
    vendor.InvalidIMDSEndpointModeError: CredentialsError,
    vendor.MissingDependencyException: CredentialsError,
    vendor.ProfileNotFound: ConfigError,
    vendor.ConfigNotFound: ConfigError,
    vendor.ConfigParseError: ConfigError,
    vendor.InvalidConfigError: ConfigError,
    vendor.DataNotFoundError: ConfigError,
    vendor.InvalidChecksumConfigError: ConfigError,
    vendor.InvalidDefaultsMode: ConfigError,
    vendor.InvalidEndpointConfigurationError: ConfigError,
    vendor.InvalidProxiesConfigError: ConfigError,
    vendor.InvalidRetryConfigurationError: ConfigError,
    vendor.InvalidSTSRegionalEndpointsConfigError: ConfigError,
    vendor.InvalidDNSNameError: InvalidRequest,
    vendor.InvalidHostLabelError: InvalidRequest,
    vendor.ParamValidationError: InvalidRequest,
    vendor.ValidationError: InvalidRequest,
    vendor.BaseEndpointResolverError: InvalidRequest,
    vendor.EndpointProviderError: InvalidRequest,
    vendor.UnknownRegionError: InvalidRequest,
    vendor.ServiceNotInRegionError: UnsupportedByCloud,
    vendor.UnknownServiceError: UnsupportedByCloud,
}


def kind_of_code(code: str) -> type[CrosstrailError] | None:
    """None when this vendor code is not known here."""
    return _KIND_OF_CODE.get(code)


def kind_of_fault(fault: type[BaseException]) -> type[CrosstrailError] | None:
    """The same for an exception that is not an answer of the cloud."""
    return next((_KIND_OF_FAULT[base] for base in fault.__mro__ if base in _KIND_OF_FAULT), None)


def kind_of_status(status: int) -> type[CrosstrailError]:
    """What is left to go by for a code that is not known here."""
    if status == 429:
        return Throttled
    if status >= 500:
        return CloudUnavailable
    if status in (401, 403):
        return AccessDenied
    return InvalidRequest if status == 400 else CloudError
