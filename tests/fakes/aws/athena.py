"""Athena, AWS JSON 1.1: queries whose state moves on with every look at them, and the file of their results in a bucket.

Requests and answers are checked against botocore's own model of the service.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from fakes.cloud import Refusal

if TYPE_CHECKING:
    from .world import FakeAccount, World

Row = tuple[str | None, ...]
_RUNNING = ("QUEUED", "RUNNING")


@dataclass
class Outcome:
    """What a query comes to. The names are those that the statement sent gives its columns."""

    columns: tuple[str, ...] = ("c0",)
    rows: tuple[Row, ...] = ()
    states: tuple[str, ...] = ("QUEUED", "RUNNING", "SUCCEEDED")
    status: dict[str, Any] = field(default_factory=dict)
    """Members of the API's QueryExecutionStatus beside State."""
    scanned_bytes: int = 12_345_678


@dataclass
class Execution:
    id: str
    params: dict[str, Any]
    outcome: Outcome
    states: list[str]

    def step(self) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@dataclass
class Athena:
    """Of one account. `buckets` are those in which result files appear (FakeS3.buckets)."""

    outcome: Outcome = field(default_factory=Outcome)
    workgroups: set[str] = field(default_factory=lambda: {"primary"})
    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Client request token -> query execution id."""


@cache
def _model() -> ServiceModel:
    return botocore.session.Session().get_service_model("athena")


def _checked(operation: str, params: dict[str, Any]) -> None:
    report = ParamValidator().validate(params, _model().operation_model(operation).input_shape)
    if report.has_errors():
        raise Refusal("InvalidRequestException", report.generate_report())


def _answer(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    report = ParamValidator().validate(answer, _model().operation_model(operation).output_shape)
    assert not report.has_errors(), report.generate_report()
    return answer


def start_query_execution(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    _checked("StartQueryExecution", params)
    athena, group = account.athena, params.get("WorkGroup", "primary")
    if group not in athena.workgroups:
        raise Refusal("InvalidRequestException", f"WorkGroup {group} is not found.")
    if len(params["QueryString"].encode()) > 262_144:
        raise Refusal("InvalidRequestException", "Query string is too long")
    found = athena.tokens.get(params["ClientRequestToken"])
    if found is None:
        found = athena.tokens[params["ClientRequestToken"]] = str(uuid.uuid4())
        execution = Execution(found, params, athena.outcome, list(athena.outcome.states))
        athena.executions[found] = execution
        bucket, _, key = _output(execution).removeprefix("s3://").partition("/")
        if bucket in athena.buckets:
            athena.buckets[bucket][key] = _csv(athena.outcome)
    return _answer("StartQueryExecution", {"QueryExecutionId": found})


def _execution(account: FakeAccount, params: dict[str, Any]) -> Execution:
    found = account.athena.executions.get(params["QueryExecutionId"])
    if found is None:
        raise Refusal("InvalidRequestException", f"QueryExecution {params['QueryExecutionId']} was not found")
    return found


def _output(execution: Execution) -> str:
    place = execution.params.get("ResultConfiguration", {}).get("OutputLocation", "")
    return f"{place.rstrip('/')}/{execution.id}.csv" if place else ""


def get_query_execution(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    _checked("GetQueryExecution", params)
    execution = _execution(account, params)
    state = execution.step()
    output = _output(execution)
    found: dict[str, Any] = {
        "QueryExecutionId": execution.id,
        "Query": execution.params["QueryString"],
        "ResultConfiguration": {"OutputLocation": output} if output else {},
        "Status": {"State": state, **(execution.outcome.status if state not in (*_RUNNING, "SUCCEEDED") else {})},
        "Statistics": {"DataScannedInBytes": execution.outcome.scanned_bytes if state not in _RUNNING else 0},
        "WorkGroup": execution.params.get("WorkGroup", "primary"),
    }
    return _answer("GetQueryExecution", {"QueryExecution": found})


def get_query_results(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    """The first row of all is the header, which counts."""
    _checked("GetQueryResults", params)
    execution = _execution(account, params)
    if execution.states[0] != "SUCCEEDED":
        raise Refusal("InvalidRequestException", f"Query has not yet finished. Current state: {execution.states[0]}")
    outcome, size = execution.outcome, params.get("MaxResults", 1000)
    rows: list[Row] = [outcome.columns, *outcome.rows]
    start = int(params.get("NextToken", "at-0")[3:])
    data = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows[start:][:size]]
    info = [{"Name": name, "Label": name, "Type": "varchar"} for name in outcome.columns]
    more = {"NextToken": f"at-{start + size}"} if start + size < len(rows) else {}
    answer = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": info}}, **more}
    return _answer("GetQueryResults", answer)


def stop_query_execution(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    _checked("StopQueryExecution", params)
    execution = _execution(account, params)
    if execution.states[0] in _RUNNING:
        execution.states = ["CANCELLED"]
    return _answer("StopQueryExecution", {})


def _csv(outcome: Outcome) -> bytes:
    """As Athena writes it: each value in quotes, nothing for NULL."""
    lines = [outcome.columns, *outcome.rows]
    quoted = [["" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in line] for line in lines]
    return "".join(",".join(line) + "\n" for line in quoted).encode()


HANDLERS = {
    "StartQueryExecution": start_query_execution,
    "GetQueryExecution": get_query_execution,
    "GetQueryResults": get_query_results,
    "StopQueryExecution": stop_query_execution,
}
