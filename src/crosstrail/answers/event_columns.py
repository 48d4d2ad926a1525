"""The event table as SQL writers need it: columns with type and meaning, the names FROM takes, five example queries.

One text for the resource crosstrail://schema/events and for list_event_data_stores. It decides the examples only; the
columns are the lake's own.
"""

from __future__ import annotations

from crosstrail.lake.schema import COLUMNS

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "Who stopped or changed logging",
        "SELECT eventtime, account, eventname, useridentity.arn, sourceipaddress FROM events\n"
        "WHERE eventsource = 'cloudtrail.amazonaws.com' AND readonly = false ORDER BY eventtime DESC LIMIT 50",
    ),
    (
        "Everything one access key did, by action",
        "SELECT eventsource, eventname, errorcode, count(*) AS calls, min(eventtime) AS first, max(eventtime) AS last\n"
        "FROM events WHERE useridentity.accesskeyid = 'AKIA...' GROUP BY 1, 2, 3 ORDER BY first",
    ),
    (
        "Denied calls by caller",
        "SELECT account, useridentity.arn, count(*) AS denied, count(DISTINCT eventname) AS actions FROM events\n"
        "WHERE errorcode LIKE '%AccessDenied%' OR errorcode LIKE '%Unauthorized%' GROUP BY 1, 2 ORDER BY denied DESC",
    ),
    (
        "Who assumed which role",
        "SELECT eventtime, useridentity.arn, element_at(requestparameters, 'roleArn') AS role FROM events\n"
        "WHERE eventname = 'AssumeRole' AND eventtime > timestamp '2026-11-01 00:00:00' ORDER BY eventtime DESC",
    ),
    (
        "Console sign-ins without MFA",
        "SELECT eventtime, account, useridentity.username, sourceipaddress FROM events\n"
        "WHERE eventname = 'ConsoleLogin' AND element_at(additionaleventdata, 'MFAUsed') = 'No'",
    ),
)


def described_columns() -> str:
    """About 6 KB of plain text."""
    lines = [
        "The event table. SQL is CloudTrail Lake's dialect (Trino), one SELECT. FROM names: events (all accounts), an "
        "account's id or alias, or an event data store id. Times are UTC.",
        "column | type | meaning",
        *(f"{column.name} | {column.type} | {column.description}" for column in COLUMNS),
        "",
        "Fields of a row are reached by a dot (useridentity.sessioncontext.sessionissuer.arn), map values by "
        "element_at(requestparameters, 'bucketName'); nested values in a map are JSON text.",
    ]
    for title, sql in EXAMPLES:
        lines += ["", f"-- {title}", sql]
    return "\n".join(lines)
