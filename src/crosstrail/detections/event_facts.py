"""What is asked of every event in statements of this project's own: did it fail, was it denied, does it only read, who did it.

Expressions of DuckDB's SQL over the lake's columns. Decides these words for detections, summaries and timelines alike.
"""

from __future__ import annotations

from datetime import UTC, datetime

from crosstrail.filters import ANY, FilterKey
from crosstrail.lake.reader import quoted
from crosstrail.lake.row_filters import condition
from crosstrail.models import Filter

_READING_VERBS = (
    "Get|List|Describe|Lookup|Head|Query|Check|Search|BatchGet|Scan|Select|Test|Simulate|Verify|View|Validate|Preview|Estimate|"
    "Download|Decrypt|AssumeRole|Discover|Detect|Poll|Receive|Filter|StartQuery|Export"
)
_DENIED_WORDS = "AccessDenied|Unauthorized|NotAuthorized|Forbidden|NoPermission|AuthFailure|PermissionDenied|AuthorizationError|AuthorizationFailed"

FAILED = f"({condition(Filter(FilterKey.ERROR_CODE, ANY))[0]})"
"""As the filter ErrorCode=* has it: an error code, an outcome Failure of a sign-in, or an error message."""
ERROR = f"CASE WHEN coalesce(errorcode, '') <> '' THEN errorcode WHEN {FAILED} THEN coalesce(nullif(errormessage, ''), 'Failure') END"
"""Its word for the failure; NULL of what succeeded."""
DENIED = f"regexp_matches(coalesce(errorcode, ''), '(?i){_DENIED_WORDS}')"
"""Whether permissions refused it; of any cloud."""
READS = f"coalesce(readonly, regexp_matches(eventname, '^({_READING_VERBS})'))"
"""Whether it changes nothing: as the event says, else by the verb that its name begins with."""
SERVICE_CALL = (
    "(useridentity.type IN ('AWSService', 'system') OR (useridentity.arn IS NULL AND coalesce(access_key_id, '') = '' "
    "AND regexp_matches(coalesce(principal, ''), '^[a-z0-9.-]+[.](amazonaws[.]com([.]cn)?|aliyuncs[.]com)$')))"
)
"""Whether a service of the cloud called by itself."""
ROLE_OF = "regexp_extract(useridentity.arn, '^(.*:assumed-role/[^/]+)/', 1)"
"""Of a role's session the role, as `arn:aws:sts::111111111111:assumed-role/Audit`; empty for others."""
WHO = f"coalesce(nullif({ROLE_OF}, ''), useridentity.arn, nullif(principal, ''), '')"
"""Who acts, the same for every session of a role: an ARN where the event has one."""


def moment(at: datetime) -> str:
    """A time as SQL writes it."""
    return f"TIMESTAMP {quoted(at.astimezone(UTC).replace(tzinfo=None).isoformat())}"
