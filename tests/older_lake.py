"""What commit d318d91 wrote, unpacked: a lake and the logs it was collected from, an account database, all settings of then.

tests/write_older_lake.py made it, by that commit's own code.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

COMMIT = "d318d91"
ARCHIVE = Path(__file__).parent / "data" / "older.tar.xz"
ACCOUNT, OTHER = "012345678901", "210987654321"
KEY = "Nlp2pVj2ZbyuHIx3gFS0tTrWWkVmAGAmXbGQ2y5hW5E="
"""Of the secret in the account database."""
SECRET = "wJalrXUtnFEMI-of-an-older-version"
DAYS = (1, 2, 4)
"""Of March 2026, those on which ACCOUNT has events, eight each; OTHER has six on the first."""
SETTINGS = """\
region: eu-west-1
ambient: false
allow_writes: false
database: {url: "", secret_name: ""}
organization: {role_name: "", external_id: ""}
profiles: ""
refresh_accounts: 60.0
keep_accounts: 3600.0
encryption_key: ""
volcengine: {access_key: "", secret_key: "", session_token: "", endpoint: "", region: cn-beijing}
lookup: {max_targets: 200, deadline: 45.0}
lake: {path: lake, catalog: "", aliases: {}}
query: {time_limit: 60.0, memory_limit: 2GB, keep_results: 3600.0}
serve:
  {transport: stdio, host: 127.0.0.1, port: 8000, tls_cert: "", tls_key: "", behind_proxy: false, no_auth: false, public_url: "",
   allowed_hosts: [], allowed_origins: [], max_body: 1000000, workers: 1, auth: none, allow_any: false, read_only: false,
   toolsets: [], tools: [], exclude_tools: []}
jwt:
  {issuer: "", audience: "", jwks_url: "", public_key: "", algorithms: [RS256, ES256], required_scopes: [], groups_claim: groups,
   trust_email: false}
oauth:
  {client_id: "", client_secret: "", authorize_url: "https://github.com/login/oauth/authorize",
   token_url: "https://github.com/login/oauth/access_token", scope: "", userinfo_url: "", signing_key: "", storage: "",
   redirect_uris: []}
limits: {calls_per_minute: 240, concurrent_calls: 16, queries_at_once: 4}
audit: {to: "", max_bytes: 50000000, telemetry: false, keep: 10}
wrap:
  servers: {one: {command: [server, --flag], env: {LEVEL: debug}, pass_env: [PATH], read_only: true, allow: ["get_*"], deny: []}}
  parameter: target_account_id
  idle: 600.0
  max_children: 8
  start_timeout: 60.0
  call_timeout: 600.0
log_level: warning
accounts:
  - {id: "012345678901", alias: first, region: us-east-1, regions: [us-east-1, eu-west-1], tags: {team: a}, default: true}
  - {id: "222222222220", archive: logs}
  - {id: "333333333333", alias: prod, auth: {type: role, role_arn: "arn:aws:iam::333333333333:role/Audit", external_id: ext-1}}
  - {id: "444444444444", alias: dev, auth: {type: profile, profile: dev}}
  - {id: "2100000001", cloud: volcengine, auth: {type: role, role_trn: "trn:iam::2100000001:role/Audit"}}
access:
  - {who: ["group:secops", "*@example.com"], accounts: ["*"], toolsets: [events, query], write: false}
"""
"""Every key that it had."""


def collected_records() -> dict[str, list[dict[str, Any]]]:
    """Path of a log file -> its records. Two files have two of the events of OTHER in common."""
    found = {}
    for day in DAYS:
        name = f"{ACCOUNT}_CloudTrail_us-east-1_2026030{day}T0900Z_a.json.gz"
        found[_path(ACCOUNT, day, name)] = [_record(ACCOUNT, day, number) for number in range(8)]
    for part, numbers in (("b", range(4)), ("c", range(2, 6))):
        name = f"{OTHER}_CloudTrail_us-east-1_20260301T0900Z_{part}.json.gz"
        found[_path(OTHER, 1, name)] = [_record(OTHER, 1, number, errorCode="AccessDenied") for number in numbers]
    return found


def _path(account: str, day: int, name: str) -> str:
    return f"AWSLogs/{account}/CloudTrail/us-east-1/2026/03/{day:02d}/{name}"


def _record(account: str, day: int, number: int, **more: str) -> dict[str, Any]:
    caller = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{account}:user/alice",
        "accountId": account,
        "accessKeyId": "AKIA0000000000000001",
        "userName": "alice",
    }
    return {
        "eventVersion": "1.09",
        "userIdentity": caller,
        "eventTime": f"2026-03-{day:02d}T{number:02d}:30:07Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": ("CreateUser", "DeleteUser", "ListUsers")[number % 3],
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"userName": f"user-{number}"},
        "responseElements": None,
        "requestID": f"request-{account}-{day}-{number}",
        "eventID": f"event-{account}-{day}-{number}",
        "readOnly": number % 3 == 2,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        **more,
    }


def unpacked(folder: Path) -> Path:
    """All of it, in that folder: another place than it was made in."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder
