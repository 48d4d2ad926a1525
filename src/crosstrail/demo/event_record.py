"""One AWS event as CloudTrail writes it, from a caller, a call and a moment.

Decides the record's form: which fields there are and what they hold. It never decides who calls what, or when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from crosstrail.demo.apis import Api, Json, Service, apis
from crosstrail.demo.word_lists import Words, iam_id, opaque, random_uuid
from crosstrail.timerange import iso

HOME_REGION = "us-east-1"
_REST_VERSION = re.compile(r"\d{8}(v\d)?$")
_CIPHER = "TLS_AES_128_GCM_SHA256"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a call, as the trail shows them."""

    identity: Json
    """userIdentity."""
    source_ip: str
    user_agent: str
    vpc_endpoint: str = ""

    @property
    def name(self) -> str:
        return str(self.identity.get("arn") or self.identity.get("principalId") or self.identity["invokedBy"])

    @property
    def is_service(self) -> bool:
        """Calls from inside AWS carry a service's name for an address, and no TLS details."""
        return self.source_ip.endswith(".amazonaws.com")

    def through(self, service: str) -> Caller:
        """The same principal, when a service makes a call on its behalf."""
        return replace(
            self,
            identity={**self.identity, "invokedBy": service},
            source_ip=service,
            user_agent=service,
            vpc_endpoint="",
        )


def user_identity(account: str, name: str, key: str) -> Json:
    """An IAM user with a long-lived key."""
    return {
        "type": "IAMUser",
        "principalId": iam_id(Random(f"{account}/user/{name}"), "AIDA", 17),
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": key,
        "userName": name,
    }


def role_identity(account: str, role: str, session: str, key: str, since: datetime, *, mfa: bool = False) -> Json:
    """A session of a role; `since` is when the session's key was made."""
    principal = iam_id(Random(f"{account}/role/{role}"), "AROA", 17)
    path = f"aws-service-role/{role}" if role.startswith("AWSServiceRole") else role
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": f"arn:aws:iam::{account}:role/{path}",
        "accountId": account,
        "userName": role,
    }
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": issuer,
            "attributes": {"creationDate": iso(since), "mfaAuthenticated": str(mfa).lower()},
        },
    }


def aws_service(host: str) -> Caller:
    """AWS itself, for instance `ec2.amazonaws.com`."""
    return Caller({"type": "AWSService", "invokedBy": host}, host, host)


def denied(caller: Caller, api: Api) -> tuple[str, str]:
    """errorCode and errorMessage of a call that no policy allows."""
    action = f"{api.service.prefix}:{_REST_VERSION.sub('', api.name)}"
    message = f"User: {caller.name} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
    if api.service.prefix == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return api.service.denied, message


def throttled(api: Api) -> tuple[str, str]:
    return api.service.throttled, "Request limit exceeded." if api.service.prefix == "ec2" else "Rate exceeded"


def event(
    rng: Random,
    caller: Caller,
    call: str,
    account: str,
    region: str,
    when: datetime,
    *,
    words: dict[str, str] | None = None,
    error: tuple[str, str] | None = None,
    is_denied: bool = False,
    shared_id: str = "",
) -> Json:
    """The record of one call, `call` being a name such as `ec2:DescribeInstances`, in the account that receives it.

    `words` fixes words of the call's templates; `error` is (code, message). A global service's region is us-east-1.
    Long because it lists the fields of a record in the order in which CloudTrail writes them.
    """
    api = apis()[call]
    region = region if api.service.everywhere else HOME_REGION
    given = {"account": account, "region": region, "role_account": account, **_moments(when), **(words or {})}
    filled = Words(rng, given)
    error = denied(caller, api) if is_denied else error
    resources = [
        {"accountId": given["role_account"], "type": kind, "ARN": filled.fill(arn)}
        for kind, arn in (api.resources or {}).items()
    ]
    record: Json = {
        "eventVersion": api.service.version,
        "userIdentity": caller.identity,
        "eventTime": iso(when),
        "eventSource": f"{api.service.prefix}.amazonaws.com",
        "eventName": api.name,
        "awsRegion": region,
        "sourceIPAddress": caller.source_ip,
        "userAgent": caller.user_agent,
        **({"errorCode": error[0], "errorMessage": error[1]} if error else {}),
        "requestParameters": filled.fill(api.request),
        "responseElements": None if error else filled.fill(api.response),
        **({"additionalEventData": _s3_details(rng)} if api.service.prefix == "s3" else {}),
        "requestID": random_uuid(rng),
        "eventID": random_uuid(rng),
        "readOnly": api.read_only,
        **({"resources": resources} if resources else {}),
        "eventType": "AwsApiCall",
        "managementEvent": not api.data,
        "recipientAccountId": account,
        **({"sharedEventID": shared_id} if shared_id else {}),
        **({"vpcEndpointId": caller.vpc_endpoint} if caller.vpc_endpoint else {}),
        "eventCategory": "Data" if api.data else "Management",
    }
    if not caller.is_service:
        host = _host(api.service, region, filled, record["requestParameters"])
        record["tlsDetails"] = {"tlsVersion": "TLSv1.3", "cipherSuite": _CIPHER, "clientProvidedHostHeader": host}
    return record


def console_login(
    rng: Random, account: str, name: str, source_ip: str, agent: str, when: datetime, *, good: bool
) -> Json:
    """An IAM user's sign-in to the console, with MFA; AWS gives it no requestID and no key."""
    identity = user_identity(account, name, "")
    del identity["accessKeyId"]
    return {
        "eventVersion": "1.08",
        "userIdentity": identity,
        "eventTime": iso(when),
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": HOME_REGION,
        "sourceIPAddress": source_ip,
        "userAgent": agent,
        **({} if good else {"errorMessage": "Failed authentication"}),
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success" if good else "Failure"},
        "additionalEventData": {
            "LoginTo": "https://console.aws.amazon.com/console/home",
            "MobileVersion": "No",
            "MFAUsed": "Yes" if good else "No",
        },
        "eventID": random_uuid(rng),
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": _CIPHER,
            "clientProvidedHostHeader": "signin.aws.amazon.com",
        },
    }


def _moments(when: datetime) -> dict[str, str]:
    """The words for this moment, as IAM and STS print them."""
    form = "%b %d, %Y, %I:%M:%S %p"
    expiry = when.astimezone(UTC) + timedelta(hours=1)
    return {"moment": when.strftime(form), "expiry": expiry.strftime(form), "day": when.strftime("%Y/%m/%d")}


def _host(service: Service, region: str, words: Words, request: Json | None) -> str:
    if request and "Host" in request:
        return str(request["Host"])
    return service.host.format(service=service.prefix, region=region, bucket=words["bucket"])


def _s3_details(rng: Random) -> Json:
    return {
        "SignatureVersion": "SigV4",
        "CipherSuite": _CIPHER,
        "bytesTransferredIn": 0,
        "AuthenticationMethod": "AuthHeader",
        "x-amz-id-2": opaque(rng, 75) + "=",
        "bytesTransferredOut": rng.randrange(200, 4000),
    }
