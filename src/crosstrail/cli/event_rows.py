"""The rows of `crosstrail lookup`: an event each.

Decides which columns there are and who stands in `principal`: what tells callers apart, without what is alike in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstrail.cli.output import Cell, Meaning, RowColumn, RowType

if TYPE_CHECKING:
    from crosstrail.models import Event


def _failed(value: Cell) -> Meaning | None:
    return Meaning.FAILED if value else None


def _write(value: Cell) -> Meaning | None:
    return Meaning.WRITE if value == "write" else None


EVENTS = RowType(
    "lookup",
    (
        RowColumn("time", "time", whole=True, about="When it happened."),
        RowColumn("account", whole=True, about="The account's alias, or its id where it has none."),
        RowColumn("region", about="The region that logged it."),
        RowColumn("event", readable=24, about="The event's name, such as ConsoleLogin."),
        RowColumn("service", about="The service, such as iam: eventSource without .amazonaws.com."),
        RowColumn(
            "principal",
            readable=24,
            cut="apart",
            about="Who did it: a user's name, ROLE/SESSION, root, or a service's host name. --arn takes it.",
        ),
        RowColumn("source_ip", about="The address or the service that it came from."),
        RowColumn(
            "error",
            readable=10,
            meaning=_failed,
            about="Why it failed, such as AccessDenied; empty where it succeeded.",
        ),
        RowColumn("resources", "list", about="Names of what it was done to, ARNs without account and region."),
        RowColumn("event_id", whole=True, about="The event's id, as --event-id takes it."),
        RowColumn("access", optional=True, meaning=_write, about="read or write; null where the event does not say."),
        RowColumn("account_id", wide=True, about="The account's id."),
        RowColumn("cloud", wide=True, about="aws, volcengine, alibaba, or what a distribution brings."),
        RowColumn(
            "other_versions", "integer", wide=True, about="How many other contents came under its id; a lake says so."
        ),
        RowColumn("record", "record", by_name=True, about="The whole event as its cloud wrote it."),
    ),
    first_to_go=(
        "other_versions",
        "cloud",
        "region",
        "resources",
        "service",
        "source_ip",
        "access",
        "event_id",
    ),
)


def event_row(event: Event, account: str) -> list[Cell]:
    """`account`: what it is called."""
    from crosstrail.answers.lookup_events import short_resource

    access = None if event.read_only is None else "read" if event.read_only else "write"
    return [
        event.time,
        account,
        event.region,
        event.name,
        event.source.removesuffix(".amazonaws.com"),
        event.caller,
        event.source_ip,
        event.error,
        [short_resource(resource.name) for resource in event.resources],
        event.id,
        access,
        event.account,
        event.cloud,
        event.other_versions,
        event.record or {},
    ]
