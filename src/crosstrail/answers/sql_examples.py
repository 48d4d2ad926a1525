"""Example queries: what people and agents ask most of audit events, each one SELECT that runs on the lake as it stands.

Decides which there are. The shell, agents and docs/sql.md have them from here; tests/test_sql_reference.py runs them all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SqlExample:
    title: str
    sql: str


SQL_EXAMPLES: tuple[SqlExample, ...] = (
    SqlExample(
        "Who stopped or changed logging",
        "SELECT eventtime, account, eventname, useridentity.arn, sourceipaddress FROM events\n"
        "WHERE eventsource = 'cloudtrail.amazonaws.com' AND readonly = false ORDER BY eventtime DESC LIMIT 50",
    ),
    SqlExample(
        "Everything one access key did, by action",
        "SELECT eventsource, eventname, errorcode, count(*) AS calls, min(eventtime) AS first, max(eventtime) AS last\n"
        "FROM events WHERE useridentity.accesskeyid = 'AKIA...' GROUP BY 1, 2, 3 ORDER BY first",
    ),
    SqlExample(
        "Denied calls by caller",
        "SELECT account, useridentity.arn, count(*) AS denied, count(DISTINCT eventname) AS actions FROM events\n"
        "WHERE errorcode LIKE '%AccessDenied%' OR errorcode LIKE '%Unauthorized%' GROUP BY 1, 2 ORDER BY denied DESC",
    ),
    SqlExample(
        "Who assumed which role",
        "SELECT eventtime, useridentity.arn, element_at(requestparameters, 'roleArn') AS role FROM events\n"
        "WHERE eventname = 'AssumeRole' AND eventtime > timestamp '2026-11-01 00:00:00' ORDER BY eventtime DESC",
    ),
    SqlExample(
        "Console sign-ins without MFA",
        "SELECT eventtime, account, useridentity.username, sourceipaddress FROM events\n"
        "WHERE eventname = 'ConsoleLogin' AND element_at(additionaleventdata, 'MFAUsed') = 'No'",
    ),
    SqlExample(
        "What the sessions of one role did, by session",
        "SELECT useridentity.arn, eventname, count(*) AS calls, min(eventtime) AS first, max(eventtime) AS last FROM events\n"
        "WHERE useridentity.sessioncontext.sessionissuer.arn = 'arn:aws:iam::111122223333:role/Admin'\n"
        "GROUP BY 1, 2 ORDER BY first",
    ),
    SqlExample(
        "Events by day, with the share that changed something",
        "SELECT date_trunc('day', eventtime) AS day, count(*) AS events, count_if(readonly = false) AS writes,\n"
        "       round(100.0 * count_if(readonly = false) / count(*), 1) AS percent\n"
        "FROM events GROUP BY 1 ORDER BY 1",
    ),
    SqlExample(
        "Addresses by caller, the newest first",
        "SELECT useridentity.arn, sourceipaddress, min(eventtime) AS first, max(eventtime) AS last, count(*) AS calls\n"
        "FROM events GROUP BY 1, 2 ORDER BY first DESC LIMIT 50",
    ),
    SqlExample(
        "Calls from a network",
        "SELECT eventtime, account, useridentity.arn, eventname, sourceipaddress FROM events\n"
        "WHERE contains('203.0.113.0/24', TRY_CAST(sourceipaddress AS ipaddress)) ORDER BY eventtime DESC LIMIT 50",
    ),
    SqlExample(
        "Addresses that used more than one account",
        "SELECT sourceipaddress, count(DISTINCT account) AS accounts, array_agg(DISTINCT account) AS which, count(*) AS calls\n"
        "FROM events GROUP BY 1 HAVING count(DISTINCT account) > 1 ORDER BY accounts DESC, calls DESC",
    ),
    SqlExample(
        "What the root user did",
        "SELECT eventtime, account, eventname, sourceipaddress, errorcode FROM events\n"
        "WHERE useridentity.type = 'Root' AND useridentity.invokedby IS NULL ORDER BY eventtime DESC",
    ),
    SqlExample(
        "New users, keys and policies",
        "SELECT eventtime, account, useridentity.arn, eventname, element_at(requestparameters, 'userName') AS subject\n"
        "FROM events WHERE errorcode IS NULL AND eventname IN ('CreateUser', 'CreateAccessKey', 'CreateLoginProfile',\n"
        "  'AttachUserPolicy', 'PutUserPolicy', 'AttachRolePolicy', 'UpdateAssumeRolePolicy') ORDER BY eventtime DESC",
    ),
    SqlExample(
        "What was shared with others",
        "SELECT eventtime, account, useridentity.arn, eventname, requestparameters FROM events\n"
        "WHERE eventname IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'PutBucketPolicy', 'PutBucketAcl',\n"
        "  'ModifyDBSnapshotAttribute', 'AddPermission20150331v2') ORDER BY eventtime DESC",
    ),
    SqlExample(
        "Who touched one bucket, and how",
        "SELECT useridentity.arn, eventname, errorcode, count(*) AS calls FROM events\n"
        "WHERE element_at(requestparameters, 'bucketName') = 'my-bucket' GROUP BY 1, 2, 3 ORDER BY calls DESC",
    ),
    SqlExample(
        "Resources by the calls that name them",
        "SELECT r.arn, count(*) AS calls, count(DISTINCT useridentity.arn) AS callers FROM events\n"
        "CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix) GROUP BY 1 ORDER BY calls DESC LIMIT 50",
    ),
    SqlExample(
        "Errors by service",
        "SELECT eventsource, errorcode, count(*) AS calls FROM events WHERE errorcode IS NOT NULL\n"
        "GROUP BY 1, 2 ORDER BY calls DESC LIMIT 50",
    ),
    SqlExample(
        "Regions that are rarely used",
        "SELECT account, awsregion, count(*) AS calls, max(eventtime) AS last FROM events\n"
        "GROUP BY 1, 2 HAVING count(*) < 20 ORDER BY calls",
    ),
    SqlExample(
        "Pauses of more than an hour in what a caller did",
        "SELECT * FROM (\n"
        "  SELECT useridentity.arn AS arn, eventtime, lag(eventtime) OVER (PARTITION BY useridentity.arn ORDER BY eventtime) AS before\n"
        "  FROM events)\n"
        "WHERE date_diff('minute', before, eventtime) > 60 ORDER BY eventtime DESC LIMIT 50",
    ),
    SqlExample(
        "One event whole, as it was logged",
        "SELECT eventjson, source_object, verified FROM events WHERE eventid = '00000000-0000-4000-8000-000000000000'",
    ),
)
"""The first DESCRIBED of them stand beside the columns."""
DESCRIBED = 5


def examples_text() -> str:
    """All of them as SQL with titles: about 5 KB."""
    return "\n\n".join(f"-- {one.title}\n{one.sql}" for one in SQL_EXAMPLES)
