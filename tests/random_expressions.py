"""Expressions over the lake's columns, drawn by a seed: of a kind asked for, nested as deep as asked, always of Trino's types.

What is drawn gives one answer whatever the order of rows: no approximations, and no sums of doubles but of a few.
"""

from __future__ import annotations

from random import Random

TEXTS = {
    "eventname": ("DescribeInstances", "AssumeRole", "GetObject", "ConsoleLogin", "CreateUser", "PutObject", "ListBuckets", "GetCallerIdentity"),
    "eventsource": ("ec2.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com", "iam.amazonaws.com", "signin.amazonaws.com"),
    "awsregion": ("us-east-1", "eu-west-1", "us-east-2", "cn-beijing"),
    "errorcode": ("AccessDenied", "Client.UnauthorizedOperation", "NoSuchBucket", "ThrottlingException"),
    "useridentity.type": ("IAMUser", "AssumedRole", "AWSService", "Root"),
    "useridentity.username": ("alice", "deploy", "bert-jan"),
    "sourceipaddress": ("203.0.113.7", "198.51.100.7", "AWS Internal", "ec2.amazonaws.com"),
    "useragent": ("aws-cli/2", "Boto3", "Mozilla/5.0"),
    "eventtype": ("AwsApiCall", "AwsServiceEvent", "AwsConsoleSignIn"),
    "recipientaccountid": ("111111111111", "123456789012"),
    "useridentity.arn": ("arn:aws:iam::111111111111:user/alice",),
    "useridentity.sessioncontext.sessionissuer.username": ("Admin", "ReadOnly"),
    "tlsdetails.tlsversion": ("TLSv1.2", "TLSv1.3"),
    "vpcendpointid": ("vpce-1",),
    "eventversion": ("1.08", "1.09"),
}  # fmt: skip
"""Text columns, and values that the logs have."""
MAPS = ("requestparameters", "responseelements", "additionaleventdata")
KEYS = (
    "bucketName",
    "userName",
    "roleArn",
    "instancesSet",
    "key",
    "x-amz-id-2",
    "SignatureVersion",
    "roleSessionName",
    "MFAUsed",
    "Host",
)
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "+05:45", "UTC")
MOMENTS = (
    "2026-03-29 01:59:59", "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-11-01 01:30:00", "2023-07-10 12:00:00", "2024-02-29 23:59:59.999",
    "1969-12-31 23:59:59.5", "2026-03-08 02:30:00",
)  # fmt: skip
PATTERNS = (
    "(?i)describe|list", "^Get[A-Z]", "(?i)amazonaws\\.com$", "\\d{1,3}(\\.\\d{1,3}){3}", "[^/]+$", "(?i)user/(.+)$", "\\bRole\\b", "(\\w)\\w*", "-\\d+$",
)  # fmt: skip
UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond")
LITERALS = ("1_000", "0xFF", "0b101", "0o17", "0", "-7", "42")
KINDS = ("text", "bigint", "double", "decimal", "boolean", "timestamp", "zoned", "date", "texts", "map", "bigints")


class Expressions:
    """`row` says whether columns may be named; without, only literals are drawn."""

    def __init__(self, rng: Random, *, row: bool = True, prefix: str = "") -> None:
        self._rng = rng
        self._row = row
        self._prefix = prefix
        self._names = 0

    def any(self, depth: int = 2) -> str:
        return self.of(self._rng.choice(KINDS), depth)

    def of(self, kind: str, depth: int = 2) -> str:
        """An expression of that kind."""
        made: str = getattr(self, f"_{kind}")(depth)
        return made

    def column(self) -> str:
        """A text column."""
        return self._prefix + self._rng.choice(list(TEXTS))

    def condition(self, depth: int = 2) -> str:
        """One that keeps something more often than not."""
        return self._boolean(depth)

    def _pick(self, *choices: str) -> str:
        return self._rng.choice(choices)

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def _quoted(self) -> str:
        return f"'{self._pick(*self._pick_values(), '', 'é', 'İx', 'a,b')}'"

    def _pick_values(self) -> tuple[str, ...]:
        return self._rng.choice(list(TEXTS.values()))

    def _map_column(self) -> str:
        return self._prefix + self._pick(*MAPS)

    def _text(self, depth: int) -> str:
        if depth <= 0:
            return self.column() if self._row and self._rng.random() < 0.8 else self._quoted()
        inner = self._text(depth - 1)
        number = self._rng.randrange(-3, 9)
        options = [
            f"lower({inner})", f"upper({inner})", f"substr({inner}, {number or 1})", f"substr({inner}, 1, {abs(number)})", f"reverse({inner})",
            f"replace({inner}, 'a', 'éé')", f"split_part({inner}, '.', {abs(number) + 1})", f"coalesce({inner}, {self._text(0)})",
            f"{inner} || '-' || {self._text(depth - 1)}", f"regexp_extract({inner}, '{self._pick(*PATTERNS)}')",
            f"regexp_replace({inner}, '{self._pick(*PATTERNS)}', '<$0>')", f"CASE WHEN {self._boolean(depth - 1)} THEN {inner} ELSE {self._text(0)} END",
            f"element_at({self._map(depth - 1)}, '{self._pick(*KEYS)}')", f"CAST({self._bigint(depth - 1)} AS varchar)",
            f"CAST({self._timestamp(depth - 1)} AS varchar)", f"CAST({self._double(depth - 1)} AS varchar)", f"CAST({self._decimal(depth - 1)} AS varchar)",
            f"date_format({self._timestamp(depth - 1)}, '%Y-%m-%d %H:%i %W')", f"array_join({self._texts(depth - 1)}, ',', '?')", f"lpad({inner}, 12, '.')",
            f"nullif({inner}, {self._text(0)})", f"element_at({self._texts(depth - 1)}, {self._pick('1', '2', '-1')})",
            f"reduce({self._texts(depth - 1)}, '', (s, x) -> s || coalesce(substr(x, 1, 2), '~'), s -> s)", f"to_iso8601({self._zoned(depth - 1)})",
            f"IF({self._boolean(depth - 1)}, {inner})", f"json_format(CAST({self._texts(depth - 1)} AS json))", f"translate({inner}, 'aeiou', 'AE')",
        ]  # fmt: skip
        if self._row:
            p = self._prefix
            options += [
                f"json_extract_scalar({p}eventjson, '$.userIdentity.{self._pick('type', 'arn', 'accountId', 'nothing')}')",
                f"json_extract_scalar({p}eventjson, '$.requestParameters.{self._pick(*KEYS[:5])}')",
                f"{p}resources[1].arn" if self._rng.random() < 0.1 else f"element_at({p}resources, 1).arn",
                f"to_hex(sha256(to_utf8({inner})))", f"typeof({inner})" if self._rng.random() < 0.2 else f"trim({inner})",
            ]  # fmt: skip
        return self._pick(*options)

    def _bigint(self, depth: int) -> str:
        if depth <= 0:
            return self._pick(*LITERALS, f"length({self._text(0)})")
        inner = self._bigint(depth - 1)
        return self._pick(
            f"length({self._text(depth - 1)})", f"({inner} + {self._bigint(depth - 1)})", f"({inner} * 3)", f"({inner} / 7)", f"({inner} % 5)", f"abs({inner})",
            f"strpos({self._text(depth - 1)}, 'e')", f"cardinality({self._texts(depth - 1)})", f"cardinality({self._map(depth - 1)})",
            f"date_diff('{self._pick(*UNITS)}', {self._timestamp(depth - 1)}, {self._timestamp(depth - 1)})",
            f"date_diff('{self._pick(*UNITS)}', {self._zoned(depth - 1)}, {self._zoned(depth - 1)})",
            f"extract({self._pick('HOUR', 'DOW', 'WEEK', 'YEAR', 'DOY', 'MINUTE')} FROM {self._timestamp(depth - 1)})", f"hour({self._zoned(depth - 1)})",
            f"regexp_count({self._text(depth - 1)}, '{self._pick(*PATTERNS)}')", f"coalesce(try_cast({self._text(depth - 1)} AS bigint), -1)",
            f"bitwise_and({inner}, 255)", f"greatest({inner}, {self._bigint(0)})", f"CASE WHEN {self._boolean(depth - 1)} THEN {inner} END",
            f"reduce({self._bigints(depth - 1)}, 0, (s, x) -> s + coalesce(x, 0), s -> s * 2)", f"coalesce(array_max({self._bigints(depth - 1)}), 0)",
            f"levenshtein_distance(substr({self._text(depth - 1)}, 1, 20), 'Describe')", f"CAST(round({self._decimal(depth - 1)}) AS bigint)",
        )  # fmt: skip

    def _double(self, depth: int) -> str:
        if depth <= 0:
            return self._pick(
                "2.675e0", "0.1e0", "-0e0", "1e16", "1.5e-7", "nan()", f"CAST(length({self._text(0)}) AS double)"
            )
        inner = self._double(depth - 1)
        return self._pick(
            f"round({inner}, 2)", f"({inner} * 1.1e0)", f"({inner} / 3)", f"CAST({self._bigint(depth - 1)} AS double)", f"floor({inner})", f"abs({inner})",
            f"to_unixtime({self._timestamp(depth - 1)})", f"CAST({self._decimal(depth - 1)} AS double)", f"sqrt(abs({inner}))",
            f"coalesce({inner}, 0e0)", f"greatest({inner}, 1e0)",
        )  # fmt: skip

    def _decimal(self, depth: int) -> str:
        if depth <= 0:
            return self._pick("1.50", "-0.005", "12345678.9", "0.0", f"CAST(length({self._text(0)}) AS decimal(10,3))")
        inner = self._decimal(depth - 1)
        return self._pick(
            f"({inner} + 1.25)",
            f"round({inner}, 1)",
            f"({inner} * 1.5)",
            f"-{inner}",
            f"coalesce({inner}, 0.1)",
            f"abs({inner})",
            f"truncate({inner})",
        )

    def _boolean(self, depth: int) -> str:
        if depth <= 0:
            text = self.column() if self._row else self._quoted()
            return self._pick(
                f"{text} = '{self._pick(*TEXTS['eventname'])}'", f"{text} LIKE '%{self._pick('a', 'e', 'amazon', 'Get', '-')}%'", f"{text} IS NOT NULL",
                f"{text} IN ({self._quoted()}, {self._quoted()})", f"regexp_like({text}, '{self._pick(*PATTERNS)}')",
            )  # fmt: skip
        inner = self._boolean(depth - 1)
        options = [
            f"({inner} AND {self._boolean(depth - 1)})", f"({inner} OR {self._boolean(depth - 1)})", f"NOT ({inner})", f"{self._bigint(depth - 1)} > {self._bigint(0)}",
            f"{self._timestamp(depth - 1)} >= TIMESTAMP '{self._pick(*MOMENTS)}'", f"{self._text(depth - 1)} < {self._text(0)}",
            f"{self._text(depth - 1)} IS DISTINCT FROM {self._text(0)}", f"any_match({self._texts(depth - 1)}, x -> x LIKE '%a%')",
            f"contains({self._texts(depth - 1)}, {self._text(0)})", f"starts_with({self._text(depth - 1)}, 'A')",
            f"{self._date(depth - 1)} BETWEEN DATE '2023-01-01' AND DATE '2026-10-01'", f"{self._double(depth - 1)} <= 3e0", f"{self._decimal(depth - 1)} <> 1.5",
            f"{self._map(depth - 1)} = {self._map(depth - 1)}", f"{self._texts(depth - 1)} = {self._texts(depth - 1)}", f"coalesce({inner}, false)",
            f"all_match({self._bigints(depth - 1)}, x -> any_match(ARRAY[1, 2, x], y -> y >= x))",
        ]  # fmt: skip
        if self._row:
            p = self._prefix
            options += [f"{p}readonly", f"{p}managementevent", f"{p}readonly IS NULL", f"cardinality({p}resources) > 0"]
        return self._pick(*options)

    def _timestamp(self, depth: int) -> str:
        if depth <= 0:
            fixed = f"TIMESTAMP '{self._pick(*MOMENTS)}'"
            return f"{self._prefix}eventtime" if self._row and self._rng.random() < 0.7 else fixed
        inner = self._timestamp(depth - 1)
        return self._pick(
            f"date_trunc('{self._pick(*UNITS[:8])}', {inner})", f"date_add('{self._pick(*UNITS)}', {self._pick('1', '-1', '13', '100')}, {inner})",
            f"({inner} + INTERVAL '36' HOUR)", f"({inner} - INTERVAL '1' MONTH)", f"CAST({inner} AS timestamp(0))", f"CAST({self._date(depth - 1)} AS timestamp)",
            f"CAST({self._zoned(depth - 1)} AS timestamp)", f"coalesce({inner}, TIMESTAMP '{self._pick(*MOMENTS)}')", f"greatest({inner}, {self._timestamp(0)})",
        )  # fmt: skip

    def _zoned(self, depth: int) -> str:
        zone = self._pick(*ZONES)
        inner = self._timestamp(depth - 1)
        return self._pick(
            f"({inner} AT TIME ZONE '{zone}')", f"with_timezone({inner}, '{zone}')", f"from_unixtime(1774745999 + length({self._text(0)}), '{zone}')",
            f"date_add('{self._pick(*UNITS)}', 1, {inner} AT TIME ZONE '{zone}')", f"date_trunc('{self._pick(*UNITS[:7])}', {inner} AT TIME ZONE '{zone}')",
            f"at_timezone({inner} AT TIME ZONE 'UTC', '{zone}')", f"({inner} AT TIME ZONE '{zone}' + INTERVAL '1' DAY)",
        )  # fmt: skip

    def _date(self, depth: int) -> str:
        if depth <= 0:
            return self._pick("DATE '2024-02-29'", f"date({self._timestamp(0)})", "DATE '2026-03-29'")
        inner = self._date(depth - 1)
        return self._pick(
            f"date({self._timestamp(depth - 1)})", f"date_trunc('{self._pick('month', 'week', 'year')}', {inner})", f"({inner} + INTERVAL '1' MONTH)",
            f"last_day_of_month({inner})", f"CAST({self._zoned(depth - 1)} AS date)", f"date_add('day', -3, {inner})",
        )  # fmt: skip

    def _texts(self, depth: int) -> str:
        if depth <= 0:
            return f"split({self._text(0)}, '{self._pick('.', ':', '/')}')"
        inner = self._texts(depth - 1)
        outer, within = self._name(), self._name()
        return self._pick(
            f"transform({inner}, {outer} -> upper({outer}))", f"filter({inner}, {outer} -> length({outer}) > 2)", f"array_sort({inner})", f"array_distinct({inner})",
            f"array_sort(map_keys({self._map(depth - 1)}))", f"array_sort(map_values({self._map(depth - 1)}))", f"slice({inner}, 1, 2)", f"({inner} || 'x')",
            f"transform({inner}, {outer} -> array_join(transform(ARRAY['b', {outer}, 'a'], {within} -> {within} || substr({outer}, 1, 1)), '+'))",
            f"regexp_extract_all({self._text(depth - 1)}, '{self._pick(*PATTERNS)}')", f"regexp_split({self._text(depth - 1)}, '[.:/]')",
            f"array_sort(array_union({inner}, ARRAY['a', NULL]))", f"array_remove({inner}, 'com')", f"ARRAY[{self._text(0)}, NULL, {self._text(0)}]",
            f"array_sort({inner}, ({outer}, {within}) -> IF({outer} < {within}, 1, IF({outer} = {within}, 0, -1)))" if self._rng.random() < 0.2 else f"reverse({inner})",
        )  # fmt: skip

    def _bigints(self, depth: int) -> str:
        return self._pick(
            "ARRAY[3, 1, NULL, 2]", "sequence(1, 4)", f"transform({self._texts(depth - 1)}, x -> length(x))", "transform(ARRAY[1, 2], x -> reduce(sequence(1, x), 0, (s, y) -> s + y * x, s -> s))",
            f"filter(sequence(-2, 5), x -> x % 2 = {self._pick('0', '1', '-1')})", f"array_sort(ARRAY[{self._bigint(0)}, {self._bigint(0)}])",
        )  # fmt: skip

    def _map(self, depth: int) -> str:
        fixed = self._pick(
            "MAP(ARRAY['b', 'a'], ARRAY['1', NULL])", "MAP(ARRAY['a', 'b'], ARRAY[NULL, '1'])", "map_from_entries(ARRAY[ROW('userName', 'x'), ROW('key', 'y')])",
            "map_from_entries(ARRAY[ROW('key', 'y'), ROW('userName', 'x')])",
        )  # fmt: skip
        if depth <= 0:
            return self._map_column() if self._row and self._rng.random() < 0.7 else fixed
        inner = self._map(depth - 1)
        return self._pick(
            f"map_filter({inner}, (k, v) -> length(k) > 4)", f"transform_values({inner}, (k, v) -> coalesce(substr(v, 1, 8), k))", f"map_concat({inner}, {fixed})",
            f"transform_keys({inner}, (k, v) -> k || '!')", inner, f"coalesce({inner}, {fixed})",
        )  # fmt: skip
