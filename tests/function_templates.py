"""The data of function_probes.py: values by kind, edges among them, and the calls they are put into."""

from __future__ import annotations

from pathlib import Path


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines() if line.strip())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TEXTS = ("''", "'a'", "'aé'", "'A b'", "' a '", "'ß'", "'😀x'", "'a,b,,c'", "'abcabc'", "NULL", "'İ'", "'0'", "'a%b_c'", "'É'")  # fmt: skip
_INTEGERS = _words("0 1 -1 2 5 -3 NULL 100 2147483647")
_BIGINTS = ("BIGINT '9223372036854775807'", "BIGINT '-9223372036854775808'", "BIGINT '7'", "-7")
_DOUBLES = _words(
    "0e0 -0e0 1.5e0 -1.5e0 2.5e0 nan() infinity() -infinity() 1e300 1e-300 NULL 123456.789e0 0.1e0 1e16 1e7 1e-3 9.999e-4 2.675e0 4.9e-324"
)
_DECIMALS = (*_words("1.5 -1.50 0.00 123456789.123 NULL 10.0"), "DECIMAL '99999999999999999999999999999999999999'")
_TIMES = _lines("""
TIMESTAMP '2026-03-29 01:59:59.999'
TIMESTAMP '1969-12-31 23:59:59.999999'
TIMESTAMP '2024-02-29 12:00:00'
DATE '2024-02-29'
DATE '1900-03-01'
TIMESTAMP '2026-12-31 23:59:59'
TIMESTAMP '2026-10-25 02:30:00 Europe/Berlin'
TIMESTAMP '2026-03-28 12:00:00 Europe/Berlin'
TIMESTAMP '2026-03-29 12:00:00 Europe/Berlin'
TIMESTAMP '2026-01-01 00:00:00 UTC'
NULL
TIMESTAMP '2021-01-03 05:06:07.123456'
TIMESTAMP '2026-06-01 00:00:00 +05:30'
""")
_ARRAYS = _lines("""
ARRAY[]
ARRAY[1,2,3]
ARRAY[3,1,NULL,2]
ARRAY[NULL]
NULL
ARRAY['b','a',NULL]
ARRAY[ARRAY[1],ARRAY[]]
ARRAY[1.5,2]
ARRAY[1,1,2]
""")
_MAPS = _lines("""
MAP(ARRAY['a','b'],ARRAY[1,2])
MAP(ARRAY['b','a'],ARRAY['x',NULL])
MAP()
MAP(ARRAY[1],ARRAY[ARRAY[1]])
NULL
""")

VALUES: dict[str, tuple[str, ...]] = {
    "text": _TEXTS,
    "integer": _INTEGERS,
    "bigint": _BIGINTS,
    "whole": (*_INTEGERS, *_BIGINTS),
    "double": _DOUBLES,
    "positive": tuple(one for one in _DOUBLES if one != "-0e0"),  # which of two zeros is the larger, Trino leaves open
    "finite": tuple(one for one in _DOUBLES if "n" not in one.lower()),
    "decimal": _DECIMALS,
    "exact": (*_INTEGERS, *_BIGINTS, *_DECIMALS),
    "number": (*_INTEGERS, *_BIGINTS, *_DOUBLES, *_DECIMALS),
    "small": _words("0 1 2 3 -1 9"),
    "divisor": _words("2 3 -2 0 1.5"),
    "places": _words("0 1 2 -1"),
    "time": _TIMES,
    "moment": tuple(one for one in _TIMES if "DATE" not in one),
    "array": _ARRAYS,
    "numbers": _ARRAYS[1:4],
    "texts": ("ARRAY['b','a',NULL]", "ARRAY['','x']", "ARRAY[]", "ARRAY['a','a','c']"),
    "nested": ("ARRAY[ARRAY[1],NULL,ARRAY[2]]", "ARRAY[ARRAY[]]", "ARRAY[ARRAY[3,NULL],ARRAY[1]]"),
    "map": _MAPS,
    "textmap": _MAPS[:2],
    "row": ("ROW(1,'a')", "ROW(NULL,'b')", "ROW(2,NULL)", "ROW(1,'b')"),
    "boolean": ("true", "false", "NULL"),
    "json": ("'{\"a\":1}'", "'[1,2,{\"b\":null}]'", "'\"x\"'", "'null'", "'{\"a\":{\"b\":[true,1.5]}}'", "'x'", "''", "NULL",
             "'{\"a\":\"\\u00e9\"}'", "' [1] '", "'{\"b\":1,\"a\":2}'", "'[1.50,1e2,-0]'", "'{\"a\":[{\"b\":1},{\"b\":2}]}'"),
    "jsonpath": ("'$'", "'$.a'", "'$.a.b'", "'$[0]'", "'$[2].b'", "'$[\"a\"]'", "'$.a.b[1]'", "'$.c'", "'$[*]'", "'$.a[*].b'"),
    "laxpath": ("'$'", "'lax $.a'", "'strict $.a'", "'lax $.a.b'", "'lax $[0]'", "'lax $[*]'", "'lax $.a[*].b'"),
    "regex": ("'a'", "'[a-c]+'", "'(a)(b)?'", "'^a'", "'b$'", "'\\s+'", "'(?i)A'", "'a|b'", "'\\d'", "'.'", "'(.)c'", "'[^a]'",
              "'\\bb'", "'(?i)é'", "'\\w+'", "'(?s).b'", "'\\Qa,b\\E'", "'\\p{L}'", "'a*'", "'(?<x>a)'"),
    "replacement": ("'<$0>'", "'x'", "'\\$'", "''", "'$1'"),
    "unit": ("'year'", "'quarter'", "'month'", "'week'", "'day'", "'hour'", "'minute'", "'second'", "'millisecond'"),
    "field": _words("YEAR QUARTER MONTH WEEK DAY DOW DOY YOW HOUR MINUTE SECOND DAY_OF_WEEK DAY_OF_YEAR YEAR_OF_WEEK"),
    "zone": ("'America/New_York'", "'+09:00'", "'Europe/Berlin'", "'UTC'", "'Asia/Kolkata'", "'nowhere'"),
    "mysqlformat": ("'%Y-%m-%d %H:%i:%s'", "'%y %M %b %e %c %k %l %p'", "'%j %a %W %f'", "'%T %r %%'", "'%x %v'", "'%d/%b/%Y:%H'"),
    "jodaformat": ("'yyyy-MM-dd HH:mm:ss.SSS'", "'EEE, d MMM yy h a'", "'D w e x'", "'''at'' HH'", "'yyyy-MM-dd''T''HH:mm:ssZZ'",
                   "'MMMM EEEE'", "'Z z'"),
    "written": ("'2026-01-02 03:04:05'", "'26-1-2'", "'x'", "'2026-03-29 02:30:00'", "'2026-01-02 24:00:00'", "' 2026-01-02'",
                "'2026-01-02T03:04:05Z'", "'2026-1-2'", "'1969-12-31 23:59:59.9995'", "'2026-01-02 03:04:05.123456 +05:30'",
                "'2026-10-25 02:30:00 Europe/Berlin'", "'２０２６-01-02'", "'Jan 2 2026'", "'11 PM'"),
    "numeral": ("'12'", "' 12'", "'1e3'", "'1.50'", "'٣'", "'+7'", "'-0'", "'0x1F'", "'NaN'", "'Infinity'", "'1_000'", "''", "'.5'", "'5.'"),
    "hex": ("'ff'", "'-ff'", "'zz'", "''", "'7fffffffffffffff'", "'FF'", "'0'"),
    "radix": _words("2 16 36 37 1"),
    "url": ("'https://a.com/x'", "'a.com'", "''", "'http://é.com'", "'http://a.com:80'", "NULL", "'http://h/?a=1&b=2#f'", "'x'", "'http://h/?'",
            "'https://u:p@h.example:8443/p/q?a=%20b&c#frag'", "'s3://bucket/key'", "'http://[::1]:80/'", "'http://a b/'"),
    "encoded": ("'a%20b'", "'a+b'", "'%'", "'%zz'", "'%C3%A9'", "'%ff'", "''", "NULL"),
    "bytes": ("X''", "X'00ff'", "to_utf8('abc')", "to_utf8('é')", "X'0123456789abcdef'", "X'01020304'", "NULL"),
    "hexbytes": ("'00ff'", "'0'", "'zz'", "''", "'FF'", "NULL"),
    "base64": ("'YWJj'", "'YQ=='", "'YQ'", "'!'", "''", "NULL", "'_-8='"),
    "address": ("'10.0.0.1'", "'::1'", "'::ffff:1.2.3.4'", "'2001:db8::1'", "'x'", "'10.0.0.256'", "NULL"),
    "network": ("'10.0.0.0/8'", "'::/0'", "'10.0.0.1/32'", "'2001:db8::/32'", "'10.0.0.0/33'"),
    "interval": ("INTERVAL '1' DAY", "INTERVAL '1' MONTH", "INTERVAL '36' HOUR", "INTERVAL '-1' YEAR", "INTERVAL '1 02:03:04.5' DAY TO SECOND",
                 "INTERVAL '90' SECOND", "INTERVAL '1-2' YEAR TO MONTH"),
    "duration": ("'1d'", "'1.5h'", "'10 ms'", "'x'", "'3.81 days'"),
    "size": ("'1kB'", "'2.5MB'", "'1B'", "'x'"),
    "format": ("'%s'", "'%5d|%-5d|'", "'%05.1f'", "'%x'", "'%,d'", "'%s%%'", "'%b'", "'%e'"),
    "shape": ("'array(integer)'",),
    "codepoint": _words("65 233 128512 -1 55296"),
}  # fmt: skip
"""Kind -> what stands for it."""

TEMPLATES = _lines((Path(__file__).parent / "function_templates.txt").read_text(encoding="utf-8"))
"""What follows SELECT."""
