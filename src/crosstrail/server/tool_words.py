"""What the tools and their parameters are called in errors and answers: the names that models can call, no others."""

from __future__ import annotations

from crosstrail.vocabulary import Vocabulary

TOOL_WORDS = Vocabulary(
    account="target_account_id",
    start="start_time",
    end="end_time",
    filter_key="attribute_key",
    filter_value="attribute_value",
    next_page="next_token",
    first_page="without next_token",
    query_id="query_id",
    lookup="lookup_events",
    sql="lake_query",
    results="get_query_results",
    cancel="cancel_query",
    accounts="list_accounts",
    stores="list_event_data_stores",
    coverage="log_coverage",
    summary="summarize_activity",
    trails="describe_trails",
    start_logging="start_logging",
    sql_page="the resource crosstrail://docs/sql",
)
