"""The tools: signature, description, one await each.

Names, parameters and their order follow the AWS Labs CloudTrail server, with target_account_id added. Docstrings here
are what models read, so they are short. A body never catches, logs or opens anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from mcp_types import ToolAnnotations
from pydantic import Field

from crosstrail.accounts.policy import Toolset
from crosstrail.answers import account_lists as listings
from crosstrail.answers import export_events as evidence
from crosstrail.answers import lake_query as queries
from crosstrail.answers import log_coverage as coverage
from crosstrail.answers import lookup_events as events
from crosstrail.answers import run_detections as detections
from crosstrail.answers import summarize_activity as summaries
from crosstrail.answers import trails
from crosstrail.answers.detect import DetectCall
from crosstrail.answers.render import Answer
from crosstrail.answers.show_timeline import TimelineCall, show
from crosstrail.answers.summarize import SummaryCall
from crosstrail.models import NewTrail
from crosstrail.server.apps import TIMELINE_PAGE
from crosstrail.server.arguments import Names, Text
from crosstrail.server.context import Body, Call, GuardedTool

Account = Annotated[
    Text, Field(description="Account id, alias, glob (prod-*), comma list, or *. Empty: the default account.")
]
Readable = Annotated[Text, Field(description="Narrow to these accounts: id, alias, glob, comma list. Empty: all.")]
Region = Annotated[
    Text, Field(description="Region, glob, comma list, or all. Empty: the account's own; of archives, all held.")
]
EngineRegion = Annotated[Text, Field(description="Only for CloudTrail Lake.")]
AsLookup = Annotated[Text, Field(description="As in lookup_events.")]
AsQuery = Annotated[Text, Field(description="As in lake_query.")]
NextToken = Annotated[Text, Field(description="From the page before; send it alone.")]
QueryId = Annotated[Text, Field(description="As lake_query returned it.")]


async def lookup_events(
    call: Call,
    target_account_id: Account = "",
    start_time: Annotated[
        Text, Field(description="ISO 8601 (UTC), or an age: 24h, 7d, 2 days ago. Empty: 24h if live, else all held.")
    ] = "",
    end_time: Annotated[Text, Field(description="As start_time; a date is that whole day. Empty: now.")] = "",
    attribute_key: Annotated[
        Text,
        Field(
            description="One filter: EventId, EventName, ReadOnly, Username, ResourceType, ResourceName, EventSource, AccessKeyId; or one of those in filters; live AWS also EventCategory (insight)."
        ),
    ] = "",
    attribute_value: Annotated[Text, Field(description="Its exact value, e.g. ConsoleLogin, iam.amazonaws.com.")] = "",
    max_results: Annotated[int, Field(description="Events a page.", ge=1, le=events.MAX_RESULTS)] = 10,
    next_token: NextToken = "",
    region: Region = "",
    detail: Annotated[Literal["summary", "full"], Field(description="full: whole events as JSON.")] = "summary",
    filters: Annotated[
        Text,
        Field(
            description="More filters, all must hold: ErrorCode=AccessDenied (* any failure), SourceIPAddress=192.0.2.1 (or 192.0.2.0/24), Role=Admin (name or ARN), Principal=ARN, UserAgent=a part, RequestID, IdentityType, ApiVersion, or any attribute_key."
        ),
    ] = "",
) -> Answer:
    """List audit events of one account or many, newest first: who did what, where, when.

    Best for a few filters over any time span, and for one event whole; for counts, joins or OR use lake_query. No event so
    far is not no event: go on with next_token.
    """
    request = events.Request(
        target_account_id, start_time, end_time, attribute_key, attribute_value, max_results, region, detail, filters
    )
    return await events.look_up(call.workspace, request, next_token, progress=call.step)


async def lake_query(
    call: Call,
    sql: Annotated[Text, Field(description="One SELECT in CloudTrail Lake SQL (Trino); FOR TIMESTAMP AS OF too.")],
    target_account_id: Readable = "",
    wait_for_completion: Annotated[bool, Field(description="false: return the query_id at once.")] = True,
    region: EngineRegion = "",
    engine: Annotated[Text, Field(description="lake, trino, athena or cloudtrail_lake. Empty: the usual one.")] = "",
) -> Answer:
    """Run one SQL SELECT over the events of all accounts: counts, groups, joins, several conditions.

    FROM events (all accounts), or an account's id or alias, or an event data store id. Columns are CloudTrail Lake's
    (eventtime, eventname, eventsource, useridentity.arn, useridentity.accesskeyid, sourceipaddress, errorcode,
    requestparameters, awsregion, ...) plus cloud and account; all of them in resource crosstrail://schema/events.
    """
    return await queries.start(
        call.workspace,
        sql,
        target_account_id,
        wait_seconds=queries.WAIT_SECONDS if wait_for_completion else 0,
        region=region,
        engine=engine,
        progress=call.waited,
    )


async def get_query_status(
    call: Call, query_id: QueryId, target_account_id: AsQuery = "", region: AsQuery = ""
) -> Answer:
    """Say where a query stands: QUEUED, RUNNING, FINISHED, FAILED, CANCELLED or TIMED_OUT."""
    return await queries.status(call.workspace, query_id, target_account_id, region)


async def get_query_results(
    call: Call,
    query_id: QueryId,
    target_account_id: AsQuery = "",
    max_results: Annotated[int, Field(description="Rows a page.", ge=1, le=1000)] = 100,
    next_token: Annotated[Text, Field(description="From the page before.")] = "",
    region: AsQuery = "",
) -> Answer:
    """Get a page of rows of a finished query. Results are kept for an hour."""
    return await queries.results(
        call.workspace, query_id, target_account_id, region, limit=max_results, page_token=next_token
    )


async def cancel_query(call: Call, query_id: QueryId, target_account_id: AsQuery = "", region: AsQuery = "") -> Answer:
    """Stop a running query. One that has ended stays as it ended."""
    return await queries.cancel(call.workspace, query_id, target_account_id, region)


async def list_event_data_stores(
    call: Call,
    target_account_id: AsQuery = "",
    include_details: Annotated[bool, Field(description="With the columns and example queries.")] = True,
    region: AsLookup = "",
    next_token: NextToken = "",
) -> Answer:
    """List the event data stores that lake_query can name: the lake's, and those of live accounts' CloudTrail Lake."""
    return await listings.stores(
        call.workspace, target_account_id, region, next_token, details=include_details, progress=call.step
    )


async def list_accounts(
    call: Call,
    selector: Annotated[Text, Field(description="Id, alias, glob or comma list. Empty: all.")] = "",
    next_token: NextToken = "",
) -> Answer:
    """List the accounts that can be asked: id, alias, cloud, regions, and what is held of each. Ask this first."""
    return await listings.accounts(call.workspace, selector, next_token)


async def log_coverage(
    call: Call,
    target_account_id: AsQuery = "",
    start_time: Annotated[Text, Field(description="Empty: the first day held.")] = "",
    end_time: Annotated[Text, Field(description="A day. Empty: the last day held; today if live.")] = "",
    region: AsLookup = "",
    next_token: NextToken = "",
) -> Answer:
    """Say which days of each account and region are held: proved, collected, partly, missing or never logged.

    The worst first. Ask it before you believe that something did not happen.
    """
    return await coverage.answer(call.workspace, target_account_id, start_time, end_time, region, next_token)


async def summarize_activity(
    call: Call,
    subject: Annotated[
        Text,
        Field(
            description="ARN, access key, IP or CIDR, user, role, session or resource name, or an event id (its caller)."
        ),
    ],
    target_account_id: AsQuery = "",
    start_time: Annotated[Text, Field(description="As in lookup_events. Empty: all held.")] = "",
    end_time: AsLookup = "",
    region: AsLookup = "",
) -> Answer:
    """Summarize all that one subject did: first and last use, actions, denials, addresses, changes, who assumed whom."""
    asked = SummaryCall(subject, target_account_id, start_time, end_time, region)
    return await summaries.answer(call.workspace, asked, progress=call.step)


async def show_timeline(
    call: Call,
    target_account_id: AsQuery = "",
    start_time: Annotated[Text, Field(description="Empty: all held.")] = "",
    end_time: AsLookup = "",
    filters: AsLookup = "",
    region: AsLookup = "",
    lanes: Annotated[Literal["principal", "account", "address"], Field(description="A lane of each.")] = "principal",
) -> Answer:
    """Show events over time: a picture to look into where the client can, counts by time and lane to all."""
    asked = TimelineCall(target_account_id, start_time, end_time, filters, region, lanes)
    return await show(call.workspace, asked, for_page=call.for_page, progress=call.step)


async def run_detections(
    call: Call,
    target_account_id: AsQuery = "",
    start_time: Annotated[Text, Field(description="As in lookup_events. Empty: all held.")] = "",
    end_time: AsLookup = "",
    level: Annotated[
        Literal["", "informational", "low", "medium", "high", "critical"], Field(description="The lowest.")
    ] = "",
    rules: Annotated[Text, Field(description="Only these: ids or titles, globs, comma list.")] = "",
    region: AsLookup = "",
    max_findings: Annotated[int, Field(description="Most.", ge=1, le=detections.MAX_FINDINGS)] = 20,
    new: Annotated[bool, Field(description="What is new instead of what rules find.")] = False,
) -> Answer:
    """Find what is suspicious: Sigma rules over the events. Findings by rule and principal, the gravest first.

    Begin an investigation here.
    """
    asked = DetectCall(target_account_id, region, start_time, end_time, level or None, rules, new=new)
    return await detections.answer(call.workspace, asked, max_findings, progress=call.step)


async def describe_trails(
    call: Call,
    target_account_id: AsLookup = "",
    trail_names: Annotated[Names, Field(description="Only these trails. Empty: all.")] = [],  # noqa: B006 - a schema's default
    region: AsLookup = "",
    next_token: NextToken = "",
) -> Answer:
    """Describe the trails of live accounts: where they deliver and whether they are logging. Archives have none."""
    return await trails.describe(call.workspace, target_account_id, trail_names, region, next_token, progress=call.step)


async def create_trail(
    call: Call,
    name: Annotated[Text, Field(description="Of the new trail.")],
    s3_bucket_name: Annotated[Text, Field(description="An existing bucket whose policy lets the cloud write.")],
    target_account_id: Annotated[Text, Field(description="One account: id or alias.")],
    s3_key_prefix: Annotated[Text, Field(description="Folder in the bucket.")] = "",
    is_multi_region_trail: Annotated[bool, Field(description="Log every region.")] = True,
    is_organization_trail: Annotated[bool, Field(description="Log every account of the organization.")] = False,
    enable_log_file_validation: Annotated[bool, Field(description="Deliver signed digests.")] = True,
    start_logging: Annotated[bool, Field(description="Start at once.")] = True,
    region: Annotated[Text, Field(description="Its home region. Empty: the account's own.")] = "",
) -> Answer:
    """Create a trail in one live account that delivers its events to a bucket. This changes the account."""
    wanted = NewTrail(
        name=name,
        bucket=s3_bucket_name,
        prefix=s3_key_prefix,
        multi_region=is_multi_region_trail,
        organization=is_organization_trail,
        validates_files=enable_log_file_validation,
        start_logging=start_logging,
    )
    return await trails.create(call.workspace, target_account_id, wanted, region)


async def export_events(
    call: Call,
    sql: Annotated[Text, Field(description="One SELECT whose result has a column eventid.")] = "",
    target_account_id: AsLookup = "",
    start_time: AsLookup = "",
    end_time: AsLookup = "",
    filters: AsLookup = "",
    region: AsLookup = "",
    max_records: Annotated[int, Field(description="Most records.", ge=1, le=evidence.MAX_RECORDS)] = 10_000,
) -> Answer:
    """Export original records as evidence, with a manifest of hashes: links to resources that are read in parts.

    By SQL, or by account, time and filters.
    """
    asked = evidence.ExportCall(sql, target_account_id, start_time, end_time, filters, region, max_records)
    return await evidence.export(call.workspace, asked, waited=call.waited, step=call.step)


@dataclass(frozen=True, slots=True)
class _Listed:
    body: Body
    title: str
    toolset: Toolset
    read_only: bool = True
    writes: bool = False
    """Whether it changes an account: offered only where writes are allowed."""
    open_world: bool = True
    """Whether the answer holds text that strangers wrote."""
    rows: bool = True
    """Whether the answer holds rows, which can be structured content too."""
    page: str = ""
    """The address of a page that shows the answer."""


_TOOLS = (
    _Listed(lookup_events, "Look up audit events", "events"),
    _Listed(lake_query, "Query audit events by SQL", "query"),
    _Listed(get_query_status, "Status of a query", "query", open_world=False, rows=False),
    _Listed(get_query_results, "Results of a query", "query"),
    _Listed(cancel_query, "Cancel a query", "query", read_only=False, open_world=False, rows=False),
    _Listed(list_event_data_stores, "List event data stores", "query", open_world=False),
    _Listed(export_events, "Export evidence", "export", open_world=False, rows=False),
    _Listed(list_accounts, "List accounts", "accounts", open_world=False),
    _Listed(show_timeline, "Show a timeline", "query", rows=False, page=TIMELINE_PAGE),
    _Listed(run_detections, "Run detections", "query"),
    _Listed(log_coverage, "Coverage of the logs", "query"),
    _Listed(summarize_activity, "Summarize a subject", "query"),
    _Listed(describe_trails, "Describe trails", "trails"),
    _Listed(create_trail, "Create a trail", "trails", read_only=False, writes=True),
)


TOOLSET_OF: Mapping[str, Toolset] = {tool.body.__name__: tool.toolset for tool in _TOOLS}
"""The set of every tool, by its name."""
WRITES = frozenset(tool.body.__name__ for tool in _TOOLS if tool.writes)


def build_tools(*, allow_writes: bool = False, structured: bool = False) -> list[GuardedTool]:
    """The tools in the order the server lists them; `structured`: those with rows give them as structured content too. None destroys anything; all but a write may be repeated."""
    return [
        GuardedTool.of(
            tool.body,
            ToolAnnotations(
                title=tool.title,
                read_only_hint=tool.read_only,
                destructive_hint=False,
                idempotent_hint=not tool.writes,
                open_world_hint=tool.open_world,
            ),
            structured=structured and tool.rows,
            page=tool.page,
        )
        for tool in _TOOLS
        if allow_writes or not tool.writes
    ]
