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

Account = Annotated[Text, Field(description="Id, alias, glob, comma list, or *. Empty: the default account.")]
Readable = Annotated[Text, Field(description="Only these: id, alias, glob, comma list. Empty: all.")]
Region = Annotated[Text, Field(description="Region, glob, comma list, all. Empty: its own, or all held.")]
EngineRegion = Annotated[Text, Field(description="Only for CloudTrail Lake.")]
Start = Annotated[Text, Field(description="ISO 8601 (UTC), or an age: 24h, 7d. Empty: 24h if live, else all held.")]
HeldStart = Annotated[Text, Field(description="ISO 8601 (UTC), or an age: 24h, 7d. Empty: all held.")]
End = Annotated[Text, Field(description="A date is that whole day. Empty: now.")]
Filters = Annotated[
    Text,
    Field(
        description="All must hold: ErrorCode=AccessDenied (* any), SourceIPAddress=192.0.2.0/24, Role=name or ARN, Principal=ARN, UserAgent=a part, RequestID, IdentityType, ApiVersion, or an attribute_key."
    ),
]
NextToken = Annotated[Text, Field(description="Of the page before; send it alone.")]
QueryId = Annotated[Text, Field(description="Of the query.")]


async def lookup_events(
    call: Call,
    target_account_id: Account = "",
    start_time: Start = "",
    end_time: End = "",
    attribute_key: Annotated[
        Text,
        Field(
            description="EventId, EventName, ReadOnly, Username, ResourceType, ResourceName, EventSource, AccessKeyId, one of filters; live AWS: EventCategory (insight)."
        ),
    ] = "",
    attribute_value: Annotated[Text, Field(description="Its exact value.")] = "",
    max_results: Annotated[int, Field(description="Events a page.", ge=1, le=events.MAX_RESULTS)] = 10,
    next_token: NextToken = "",
    region: Region = "",
    detail: Annotated[Literal["summary", "full"], Field(description="full: whole events as JSON.")] = "summary",
    filters: Filters = "",
) -> Answer:
    """List audit events of one account or many, newest first: who did what, where, when.

    For a few filters, and for one event whole. For counts, joins or OR: lake_query. No event so far is not no event: go on with
    next_token.
    """
    request = events.Request(
        target_account_id, start_time, end_time, attribute_key, attribute_value, max_results, region, detail, filters
    )
    return await events.look_up(call.workspace, request, next_token, progress=call.step)


async def lake_query(
    call: Call,
    sql: Annotated[Text, Field(description="One SELECT in CloudTrail Lake SQL (Trino).")],
    target_account_id: Readable = "",
    wait_for_completion: Annotated[bool, Field(description="false: its id at once.")] = True,
    region: EngineRegion = "",
    engine: Annotated[Text, Field(description="lake, trino, athena, cloudtrail_lake. Empty: the usual.")] = "",
) -> Answer:
    """Run one SQL SELECT over the events of all accounts: counts, groups, joins.

    FROM events (all accounts), an account's id or alias, or an event data store id. Columns are CloudTrail Lake's (eventtime,
    eventname, eventsource, useridentity.arn, sourceipaddress, errorcode, requestparameters, awsregion, ...), cloud and account.
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
    call: Call, query_id: QueryId, target_account_id: Readable = "", region: EngineRegion = ""
) -> Answer:
    """Say where a query stands."""
    return await queries.status(call.workspace, query_id, target_account_id, region)


async def get_query_results(
    call: Call,
    query_id: QueryId,
    target_account_id: Readable = "",
    max_results: Annotated[int, Field(description="Rows a page.", ge=1, le=1000)] = 100,
    next_token: Annotated[Text, Field(description="Of the page before.")] = "",
    region: EngineRegion = "",
) -> Answer:
    """Get a page of rows of a finished query, kept for an hour."""
    return await queries.results(
        call.workspace, query_id, target_account_id, region, limit=max_results, page_token=next_token
    )


async def cancel_query(
    call: Call, query_id: QueryId, target_account_id: Readable = "", region: EngineRegion = ""
) -> Answer:
    """Stop a running query."""
    return await queries.cancel(call.workspace, query_id, target_account_id, region)


async def list_event_data_stores(
    call: Call,
    target_account_id: Readable = "",
    include_details: Annotated[bool, Field(description="With columns and examples.")] = True,
    region: Region = "",
    next_token: NextToken = "",
) -> Answer:
    """List the event data stores that SQL can name: the lake's and live accounts'."""
    return await listings.stores(
        call.workspace, target_account_id, region, next_token, details=include_details, progress=call.step
    )


async def list_accounts(
    call: Call,
    selector: Annotated[Text, Field(description="Id, alias, glob or comma list. Empty: all.")] = "",
    next_token: NextToken = "",
) -> Answer:
    """List the accounts that can be asked: id, alias, cloud, regions, what is held. Ask this first."""
    return await listings.accounts(call.workspace, selector, next_token)


async def log_coverage(
    call: Call,
    target_account_id: Readable = "",
    start_time: Annotated[Text, Field(description="Empty: the first day held.")] = "",
    end_time: Annotated[Text, Field(description="Empty: the last day held; today if live.")] = "",
    region: Region = "",
    next_token: NextToken = "",
) -> Answer:
    """Say which days of each account and region are held: proved, collected, partly, missing, never logged.

    The worst first. Ask it before you believe that nothing happened.
    """
    return await coverage.answer(call.workspace, target_account_id, start_time, end_time, region, next_token)


async def summarize_activity(
    call: Call,
    subject: Annotated[
        Text,
        Field(description="ARN, access key, IP, CIDR, user, role, session, resource, or event id (its caller)."),
    ],
    target_account_id: Readable = "",
    start_time: HeldStart = "",
    end_time: End = "",
    region: Region = "",
) -> Answer:
    """Summarize all that one subject did: first and last use, actions, denials, addresses, changes, sessions."""
    asked = SummaryCall(subject, target_account_id, start_time, end_time, region)
    return await summaries.answer(call.workspace, asked, progress=call.step)


async def show_timeline(
    call: Call,
    target_account_id: Readable = "",
    start_time: HeldStart = "",
    end_time: End = "",
    filters: Filters = "",
    region: Region = "",
    lanes: Annotated[Literal["principal", "account", "address"], Field(description="A lane of each.")] = "principal",
) -> Answer:
    """Show events over time: a picture where the client can, counts by time and lane to all."""
    asked = TimelineCall(target_account_id, start_time, end_time, filters, region, lanes)
    return await show(call.workspace, asked, for_page=call.for_page, progress=call.step)


async def run_detections(
    call: Call,
    target_account_id: Readable = "",
    start_time: HeldStart = "",
    end_time: End = "",
    level: Annotated[
        Literal["", "informational", "low", "medium", "high", "critical"], Field(description="The lowest.")
    ] = "",
    rules: Annotated[Text, Field(description="Ids, titles, globs, comma list.")] = "",
    region: Region = "",
    max_findings: Annotated[int, Field(description="Most.", ge=1, le=detections.MAX_FINDINGS)] = 20,
    new: Annotated[bool, Field(description="What is new.")] = False,
) -> Answer:
    """Find what is suspicious by Sigma rules: findings by rule and principal, the gravest first.

    Begin an investigation here.
    """
    asked = DetectCall(target_account_id, region, start_time, end_time, level or None, rules, new=new)
    return await detections.answer(call.workspace, asked, max_findings, progress=call.step)


async def describe_trails(
    call: Call,
    target_account_id: Account = "",
    trail_names: Annotated[Names, Field(description="Empty: all.")] = [],  # noqa: B006 - a schema's default
    region: Region = "",
    next_token: NextToken = "",
) -> Answer:
    """Describe the trails of live accounts: where they deliver, whether they are logging."""
    return await trails.describe(call.workspace, target_account_id, trail_names, region, next_token, progress=call.step)


async def create_trail(
    call: Call,
    name: Annotated[Text, Field(description="Its name.")],
    s3_bucket_name: Annotated[Text, Field(description="That the cloud may write to.")],
    target_account_id: Annotated[Text, Field(description="One: id or alias.")],
    s3_key_prefix: Annotated[Text, Field(description="Folder in it.")] = "",
    is_multi_region_trail: Annotated[bool, Field(description="Every region.")] = True,
    is_organization_trail: Annotated[bool, Field(description="All its accounts.")] = False,
    enable_log_file_validation: Annotated[bool, Field(description="Signed digests.")] = True,
    start_logging: Annotated[bool, Field(description="Start at once.")] = True,
    region: Annotated[Text, Field(description="Its home. Empty: the account's.")] = "",
) -> Answer:
    """Create a trail in one live account that delivers to a bucket: this changes the account."""
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
    sql: Annotated[Text, Field(description="One SELECT with a column eventid.")] = "",
    target_account_id: Account = "",
    start_time: Start = "",
    end_time: End = "",
    filters: Filters = "",
    region: Region = "",
    max_records: Annotated[int, Field(description="Most records.", ge=1, le=evidence.MAX_RECORDS)] = 10_000,
) -> Answer:
    """Export original records as evidence, with a manifest of hashes, as resources. By SQL or by the rest."""
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
    on_lake: bool = False
    """Whether it needs the libraries of the embedded lake, whatever is asked."""
    page: str = ""
    """The address of a page that shows the answer."""


_TOOLS = (
    _Listed(lookup_events, "Look up events", "events"),
    _Listed(lake_query, "Query by SQL", "query"),
    _Listed(get_query_status, "Query status", "query", open_world=False, rows=False),
    _Listed(get_query_results, "Query results", "query"),
    _Listed(cancel_query, "Cancel a query", "query", read_only=False, open_world=False, rows=False),
    _Listed(list_event_data_stores, "Event data stores", "query", open_world=False),
    _Listed(export_events, "Export evidence", "export", open_world=False, rows=False, on_lake=True),
    _Listed(list_accounts, "List accounts", "accounts", open_world=False),
    _Listed(show_timeline, "Show a timeline", "query", rows=False, on_lake=True, page=TIMELINE_PAGE),
    _Listed(run_detections, "Run detections", "query", on_lake=True),
    _Listed(log_coverage, "Coverage", "query"),
    _Listed(summarize_activity, "Summarize", "query", on_lake=True),
    _Listed(describe_trails, "Describe trails", "trails"),
    _Listed(create_trail, "Create a trail", "trails", read_only=False, writes=True),
)


TOOLSET_OF: Mapping[str, Toolset] = {tool.body.__name__: tool.toolset for tool in _TOOLS}
"""The set of every tool, by its name."""
ON_LAKE = frozenset(tool.body.__name__ for tool in _TOOLS if tool.on_lake)
WRITES = frozenset(tool.body.__name__ for tool in _TOOLS if tool.writes)


def build_tools(*, allow_writes: bool = False, structured: bool = False) -> list[GuardedTool]:
    """The tools in the order the server lists them; `structured`: those with rows give them as structured content too. None destroys anything. Of reads, whether they may be repeated is no question."""
    return [
        GuardedTool.of(
            tool.body,
            ToolAnnotations(
                title=tool.title,
                read_only_hint=tool.read_only,
                destructive_hint=False,
                idempotent_hint=None if tool.read_only else not tool.writes,  # of reads it says nothing
                open_world_hint=tool.open_world,
            ),
            structured=structured and tool.rows,
            page=tool.page,
        )
        for tool in _TOOLS
        if allow_writes or not tool.writes
    ]
