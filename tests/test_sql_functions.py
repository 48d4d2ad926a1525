"""The table of Trino's functions: every entry is compiled, with the types that its signature says, and DuckDB takes the SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.aggregates import AGGREGATES
from crosstrail.engines.sql.function_registry import HANDLERS
from crosstrail.engines.sql.function_table import Signature, TrinoFunction, function_table, split_types
from crosstrail.engines.sql.functions import all_functions
from crosstrail.engines.sql.prepare import PreparedStatement, prepare
from crosstrail.engines.sql.windows import WINDOW_FUNCTIONS
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect

TABLE = function_table()
DECIMAL = re.compile(r"decimal\(\w+,\w+\)")
WHOLE = ("tinyint", "smallint", "integer", "bigint")
CLASSES = {
    "I": WHOLE,
    "N": (*WHOLE, "real", "double", "decimal(5,2)"),
    "D": ("date", "timestamp(3)", "timestamp(3) with time zone"),
}
"""Letters of the table that stand for one of several types."""
ANY = {"T": "bigint", "E": "bigint", "U": "varchar", "K": "varchar", "V": "double", "S": "double", "R": "date"}
LITERALS = {
    "unit": "'day'", "format": "'%Y-%m-%d'", "jodaformat": "'yyyy-MM-dd'", "javaformat": "'%s'", "jsonpath": "'$.a'", "joniregexp": "'(a)'",
    "zone": "'Europe/Vienna'", "codepoints": "'ab'", "group": "1", "replacement": "'$1'", "base": "16", "digits": "1",
    "count": "2", "size": "2", "shares": "ARRAY[0.1, 0.5]", "separator": "', '", "share": "0.5", "error": "0.01", "column": "c", "delimiter": "','",
    "network": "'10.0.0.0/8'", "interval day to second": "INTERVAL '1' DAY", "interval year to month": "INTERVAL '1' MONTH",
}  # fmt: skip
"""What a signature's words stand for that are no types, or none that CAST takes."""

TRINO = """
    abs acos all_match any_match any_value approx_distinct approx_most_frequent approx_percentile approx_set arbitrary array_agg
    array_distinct array_except array_first array_histogram array_intersect array_join array_last array_max array_min array_position
    array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bar beta_cdf bit_count bitwise_and
    bitwise_and_agg bitwise_left_shift bitwise_not bitwise_or bitwise_or_agg bitwise_right_shift bitwise_right_shift_arithmetic
    bitwise_xor bitwise_xor_agg bool_and bool_or cardinality cbrt ceil ceiling checksum chr codepoint color combinations concat
    concat_ws contains contains_sequence corr cos cosh cosine_distance cosine_similarity count count_if covar_pop covar_samp crc32
    cume_dist current_date current_groups current_timezone date date_add date_diff date_format date_parse date_trunc day day_of_month
    day_of_week day_of_year degrees dense_rank dot_product dow doy e element_at empty_approx_set ends_with euclidean_distance every exp
    filter first_value flatten floor format_datetime format_number from_base from_base32 from_base64 from_base64url from_big_endian_32
    from_big_endian_64 from_hex from_ieee754_32 from_ieee754_64 from_iso8601_date from_iso8601_timestamp from_iso8601_timestamp_nanos
    from_unixtime from_unixtime_nanos from_utf8 geometric_mean greatest hamming_distance hash_counts histogram hmac_md5 hmac_sha1
    hmac_sha256 hmac_sha512 hour human_readable_seconds infinity intersection_cardinality inverse_beta_cdf inverse_normal_cdf is_finite
    is_infinite is_json_scalar is_nan jaccard_index json_array_contains json_array_get json_array_length json_extract
    json_extract_scalar json_format json_parse json_size kurtosis lag last_day_of_month last_value lead least length
    levenshtein_distance listagg ln log log10 log2 lower lpad ltrim luhn_check make_set_digest map map_agg map_concat map_entries
    map_filter map_from_entries map_keys map_union map_values map_zip_with max max_by md5 merge merge_set_digest millisecond min min_by
    minute mod month multimap_agg multimap_from_entries murmur3 nan ngrams none_match normal_cdf normalize now nth_value ntile
    numeric_histogram parse_data_size parse_datetime parse_duration parse_presto_data_size percent_rank pi pow power qdigest_agg
    quantile_at_value quarter radians rand random rank reduce reduce_agg regexp_count regexp_extract regexp_extract_all regexp_like
    regexp_position regexp_replace regexp_split regr_intercept regr_slope render repeat replace reverse rgb round row_number rpad rtrim
    second sequence sha1 sha256 sha512 shuffle sign sin sinh skewness slice soundex split split_part split_to_map split_to_multimap
    spooky_hash_v2_32 spooky_hash_v2_64 sqrt starts_with stddev stddev_pop stddev_samp strpos substr substring sum t_cdf t_pdf tan tanh
    tdigest_agg timezone timezone_hour timezone_minute title_case to_base to_base32 to_base64 to_base64url to_big_endian_32
    to_big_endian_64 to_hex to_ieee754_32 to_ieee754_64 to_iso8601 to_milliseconds to_unixtime to_utf8 transform transform_keys
    transform_values translate trim trim_array truncate typeof upper url_decode url_encode url_extract_fragment url_extract_host
    url_extract_parameter url_extract_path url_extract_port url_extract_protocol url_extract_query uuid value_at_quantile
    values_at_quantiles var_pop var_samp variance variant_is_null week week_of_year width_bucket wilson_interval_lower
    wilson_interval_upper with_timezone word_stem xxhash64 year year_of_week yow zip zip_with
"""
"""What SHOW FUNCTIONS of Trino 483 lists, without what its test plugin adds."""
SPECIAL_FORMS = {"current_date", "trim"}
"""Which the grammar knows, and no table of functions."""


def expanded(signature: Signature) -> Iterator[dict[str, str]]:
    """What the letters of the signature stand for: one of each class."""
    words = set(re.findall(r"\b[A-Z]\b", " ".join((*signature.parameters, signature.result))))
    letters = words & CLASSES.keys()
    for index in range(max((len(CLASSES[letter]) for letter in letters), default=1)):
        yield ANY | {letter: CLASSES[letter][index] for letter in letters}


def concrete(kind: str, stands: dict[str, str]) -> str:
    kind = re.sub(r"\b[A-Z]\b", lambda letter: stands[letter[0]], kind)
    return kind.replace("(p,s)", "(5,2)").replace("(p)", "(3)").removesuffix("...")


def argument(kind: str, stands: dict[str, str]) -> str:
    if kind.removesuffix("...") in LITERALS:
        return LITERALS[kind.removesuffix("...")]
    if kind.startswith("function("):
        *parameters, result = split_types(kind.removeprefix("function(")[:-1])
        names = ", ".join(f"x{index}" for index in range(len(parameters)))
        return f"({names}) -> CAST(NULL AS {concrete(result, stands)})"
    return f"CAST(NULL AS {concrete(kind, stands)})"


def call(one: TrinoFunction, signature: Signature, stands: dict[str, str]) -> str:
    written = ", ".join(argument(kind, stands) for kind in signature.parameters)
    text = f"{one.name}({written or '*' * (one.name == 'count')})"
    if one.name == "listagg":
        return f"{text} WITHIN GROUP (ORDER BY c)"
    return f"{text} OVER (ORDER BY c)" if one.kind == "window" else text


def statements() -> Iterator[tuple[str, str]]:
    """Each call, and the type that the table says."""
    for one in TABLE.values():
        for signature in one.signatures:
            for stands in expanded(signature):
                source = "FROM (VALUES 1) AS t(c)" + (" GROUP BY c" if one.name == "grouping" else "")
                text, result = call(one, signature, stands), concrete(signature.result, stands)
                if (
                    one.name == "json_parse"
                ):  # which cannot be an output column: it is no longer in the order of its keys
                    text, result = f"json_array_length({text})", "bigint"
                yield f"SELECT {text} {source}", result


STATEMENTS = list(statements())


def compiled(sql: str) -> PreparedStatement:
    return prepare(sql, QueryScope(()))


def test_every_signature_has_the_type_that_the_table_says() -> None:
    wrong = {}
    for sql, kind in STATEMENTS:
        try:
            found = str(compiled(sql).types[0])
        except SqlRejected as refused:
            found = f"refused: {refused} {refused.hint}"
        # A decimal's digits follow from the argument's, by rules that sql_probes.jsonl has answers of Trino for.
        if DECIMAL.sub("decimal", found) != DECIMAL.sub("decimal", kind):
            wrong[sql] = f"{found}, not {kind}"
    assert not wrong
    assert len(STATEMENTS) > 350


def test_duckdb_takes_what_every_signature_becomes() -> None:
    wrong = {}
    with closing(connect([])) as connection:
        for sql, _ in STATEMENTS:
            try:
                connection.execute(f"EXPLAIN {compiled(sql).sql}")
            except duckdb.Error as error:
                wrong[sql] = str(error)[:200]
    assert not wrong


def test_every_entry_has_a_handler_and_every_handler_an_entry() -> None:
    all_functions()
    written = {name for name, one in TABLE.items() if one.way == "rewritten"}
    by_kind = {
        kind: {name for name in written if TABLE[name].kind == kind} for kind in ("scalar", "aggregate", "window")
    }
    assert by_kind == {"scalar": set(HANDLERS), "aggregate": set(AGGREGATES), "window": set(WINDOW_FUNCTIONS)}
    assert not [name for name, one in TABLE.items() if one.refusal and one.signatures]


@pytest.mark.parametrize("name", [name for name, one in TABLE.items() if one.refusal])
def test_what_the_table_refuses_is_refused_with_its_words(name: str) -> None:
    with pytest.raises(SqlRejected) as refused:
        compiled(f"SELECT {name}('a')")
    assert TABLE[name].refusal in str(refused.value)
    assert refused.value.hint == TABLE[name].instead


def test_every_function_of_trino_is_answered_or_refused_with_a_reason() -> None:
    assert set(TRINO.split()) - SPECIAL_FORMS - TABLE.keys() == set()
