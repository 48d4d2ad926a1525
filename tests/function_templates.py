"""The data of function_probes.py: values by kind, edges among them, and the calls they are put into."""

from __future__ import annotations


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

TEMPLATES = _lines(r"""
lower({text})
upper({text})
length({text})
reverse({text})
trim({text})
ltrim({text})
rtrim({text})
trim(BOTH 'a' FROM {text})
trim(LEADING FROM {text})
substr({text},{integer})
substr({text},{integer},{integer})
substring({text} FROM {small} FOR {small})
strpos({text},{text})
strpos({text},{text},{integer})
position({text} IN {text})
replace({text},{text})
replace({text},{text},{text})
split({text},',')
split({text},',',{small})
split_part({text},',',{integer})
split_to_map('a=1,b=2',',','=')
split_to_map({text},',','=')
split_to_multimap('a=1,a=2,b=3',',','=')
lpad({text},{small},'xy')
rpad({text},{small},'é')
concat({text},{text})
{text} || {text}
concat_ws(',',{text},{text})
concat_ws({text},ARRAY['a',NULL,'b'])
starts_with({text},{text})
ends_with({text},{text})
codepoint('a'), codepoint('é'), codepoint('😀')
chr({codepoint})
levenshtein_distance({text},{text})
hamming_distance({text},{text})
soundex({text})
translate({text},'ab','x')
repeat({text},{small})
normalize({text},NFD)
normalize({text})
word_stem('running')
luhn_check('79927398713')
{text} LIKE {text}
{text} LIKE 'a\%%' ESCAPE '\'
{text} NOT LIKE '%b%'
to_utf8({text})
from_utf8({bytes})
from_utf8({bytes},'?')
md5({bytes})
sha1({bytes})
sha256({bytes})
sha512({bytes})
crc32({bytes})
xxhash64({bytes})
murmur3({bytes})
spooky_hash_v2_32({bytes})
hmac_md5({bytes},X'01')
hmac_sha1({bytes},X'01')
hmac_sha256({bytes},X'01')
hmac_sha512({bytes},X'01')
to_base64({bytes})
to_base64url({bytes})
to_base32({bytes})
to_hex({bytes})
from_hex({hexbytes})
from_base64({base64})
from_base64url({base64})
from_base32('ME======')
length({bytes})
substr({bytes},{integer})
reverse({bytes})
concat({bytes},{bytes})
lpad({bytes},{small},X'00')
to_big_endian_64({whole})
from_big_endian_64(X'0000000000000001')
from_big_endian_32(X'00000001')
to_ieee754_64({double})
from_ieee754_64(X'3ff0000000000000')
url_encode({text})
url_decode({encoded})
abs({number})
sign({number})
round({number})
round({double},{places})
round({decimal},{places})
floor({double})
floor({decimal})
ceil({double})
ceiling({decimal})
truncate({double})
truncate({decimal})
truncate({decimal},{places})
sqrt({double})
cbrt({double})
exp({double})
ln({double})
log10({double})
log2({double})
log({finite},{finite})
power({double},{divisor})
pow({small},{small})
sin({finite})
cos({finite})
tan({finite})
atan({finite})
atan2({finite},{finite})
asin({double})
acos({double})
sinh({small})
cosh({small})
tanh({finite})
degrees({finite})
radians({finite})
pi(), e(), nan(), infinity()
is_nan({double})
is_finite({double})
is_infinite({double})
mod({exact},{divisor})
{double} % 2e0
{double} % 0e0
{whole} / {divisor}
{bigint} + {places}
{exact} * {divisor}
{decimal} - {decimal}
{decimal} / {divisor}
{double} = {double}
{double} < {double}
{number} = {number}
{number} <> {integer}
{number} >= {decimal}
-{number}
greatest({exact},{integer})
greatest({positive},{positive})
least({positive},{positive})
least({text},{text})
greatest({text},{text})
greatest({time},{time})
nullif({double},{double})
nullif({text},{text})
coalesce({integer},{integer})
coalesce({integer},{decimal})
if({integer}>1,{text})
if({boolean},{integer},{decimal})
CASE WHEN {boolean} THEN {integer} WHEN {boolean} THEN 7 END
CASE {integer} WHEN 1 THEN 'a' WHEN NULL THEN 'n' ELSE {text} END
try({exact} / {divisor})
bitwise_and({whole},{whole})
bitwise_or({whole},{whole})
bitwise_xor({whole},{whole})
bitwise_not({whole})
bitwise_left_shift({whole},{small})
bitwise_right_shift({whole},{small})
bitwise_right_shift_arithmetic({whole},{small})
bit_count({whole},64)
to_base({whole},{radix})
from_base({hex},{radix})
width_bucket({finite},0e0,10e0,{small})
width_bucket({finite},ARRAY[0e0,2e0,4e0])
random() < 1
cosine_similarity(MAP(ARRAY['a'],ARRAY[1e0]),MAP(ARRAY['a'],ARRAY[2e0]))
normal_cdf(0,1,{finite})
wilson_interval_lower(5,10,1.96)
cast({number} as varchar)
cast({time} as varchar)
cast({double} as bigint)
cast({decimal} as bigint)
cast({numeral} as bigint)
cast({numeral} as integer)
cast({numeral} as double)
cast({numeral} as real)
cast({numeral} as decimal(10,2))
cast({text} as integer)
cast({text} as double)
cast({text} as boolean)
cast({number} as boolean)
cast({double} as decimal(10,2))
cast({decimal} as decimal(10,1))
cast({number} as integer)
cast({number} as real)
cast({number} as double)
cast({number} as tinyint)
cast({text} as varchar(2))
cast({text} as char(3))
cast({integer} as varchar(2))
try_cast({number} as smallint)
try_cast({text} as smallint)
try_cast({numeral} as bigint)
try_cast({numeral} as double)
try_cast({written} as timestamp)
try_cast({written} as timestamp(0))
try_cast({written} as date)
try_cast({written} as timestamp with time zone)
try_cast({written} as time)
cast({time} as date)
cast({time} as timestamp)
cast({time} as timestamp(0))
cast({time} as timestamp(6))
cast({moment} as timestamp with time zone)
cast({moment} as time)
cast({array} as array(varchar))
cast({array} as array(double))
cast({map} as map(varchar,varchar))
cast({row} as row(a bigint, b varchar))
cast({array} as json)
cast({map} as json)
cast({whole} as json)
cast({double} as json)
cast({decimal} as json)
cast({text} as json)
cast({time} as json)
cast({row} as json)
cast(cast({row} as row(a bigint, b varchar)) as json)
json_format(cast({array} as json))
json_format(cast({map} as json))
json_format(cast({number} as json))
json_format(cast({text} as json))
json_format(json_parse({json}))
cardinality({array})
cardinality({map})
array_distinct({array})
array_sort({array})
array_sort({numbers},(x,y) -> IF(x < y, 1, IF(x = y, 0, -1)))
array_max({array})
array_min({array})
array_max(ARRAY[{positive},{positive},{positive}])
array_min(ARRAY[{positive},{positive},{positive}])
array_first({array})
array_last({array})
array_position({numbers},{integer})
array_position({texts},{text})
array_remove({numbers},{integer})
array_remove({texts},{text})
contains({numbers},{integer})
contains({texts},{text})
contains_sequence({numbers},ARRAY[1])
element_at({array},{small})
{array}[{small}]
slice({array},{small},{small})
trim_array({array},{small})
array_join({array},',')
array_join({texts},',','N')
array_histogram({array})
flatten({nested})
{array} || {array}
{numbers} || {integer}
{integer} || {numbers}
concat({numbers},{numbers})
array_union({array},{array})
array_union({numbers},{numbers})
array_intersect({array},{array})
array_intersect({numbers},{numbers})
array_except({array},{array})
array_except({texts},{texts})
arrays_overlap({numbers},{numbers})
arrays_overlap({texts},{texts})
zip({array},{texts})
combinations({array},2)
ngrams({texts},2)
shuffle(ARRAY[1])
sequence({small},{small})
sequence({small},{small},{divisor})
sequence(DATE '2026-01-31',DATE '2026-04-30',INTERVAL '1' MONTH)
sequence(TIMESTAMP '2026-03-01 00:00:00',TIMESTAMP '2026-03-03 00:00:00',{interval})
sequence(DATE '2026-03-01',DATE '2026-03-05')
reverse({array})
repeat({integer},{small})
{array} = {array}
{array} < {array}
{array} <> {array}
{nested} = {nested}
{array} IS DISTINCT FROM {array}
{map} = {map}
{row} = {row}
{row} < {row}
transform({numbers}, x -> x * 2)
transform({texts}, x -> x || '!')
transform({numbers}, x -> transform(ARRAY[1,2], y -> x + y))
filter({numbers}, x -> x > 1)
filter({texts}, x -> x IS NOT NULL)
filter({numbers}, x -> any_match(ARRAY[1,2], y -> y = x))
reduce({numbers}, 0, (s,x) -> s + x, s -> s)
reduce({texts}, '', (s,x) -> s || coalesce(x,'-'), s -> upper(s))
any_match({numbers}, x -> x > 1)
all_match({numbers}, x -> x > 0)
none_match({numbers}, x -> x > 2)
zip_with({numbers},{numbers},(x,y) -> x + y)
map_keys({map})
map_values({map})
map_entries({map})
map_from_entries(ARRAY[ROW('a',1),ROW('b',2)])
map_from_entries(ARRAY[ROW('a',1),ROW('a',2)])
multimap_from_entries(ARRAY[ROW('a',1),ROW('a',2),ROW('b',NULL)])
element_at({textmap},'a')
element_at({textmap},{text})
{textmap}['a']
map_filter({map},(k,v) -> v is not null)
map_filter({textmap},(k,v) -> k = 'a')
transform_values({map},(k,v) -> k)
transform_keys({textmap},(k,v) -> k || 'x')
transform_keys({textmap},(k,v) -> 'x')
map_zip_with({textmap},{textmap},(k,a,b) -> k || cast(a as varchar))
map_concat({textmap},{textmap})
map({texts},ARRAY[1,2])
map(ARRAY['a','a'],ARRAY[1,2])
json_extract_scalar({json},{jsonpath})
json_extract({json},{jsonpath})
json_size({json},{jsonpath})
json_array_length({json})
json_array_contains({json},1)
json_array_contains({json},'x')
json_array_contains({json},true)
json_array_get({json},{places})
is_json_scalar({json})
cast(json_parse({json}) as varchar)
cast(json_parse({json}) as map(varchar,json))
cast(json_parse({json}) as array(varchar))
cast(json_extract({json},{jsonpath}) as bigint)
json_extract({json},{jsonpath}) IS NULL
json_value({json},{laxpath})
json_value({json},{laxpath} RETURNING bigint NULL ON EMPTY NULL ON ERROR)
json_query({json},{laxpath})
json_query({json},{laxpath} WITH WRAPPER)
json_exists({json},{laxpath})
json_object('a' : {integer}, 'b' : {text})
json_array({integer},{text})
{json} IS JSON
JSON '{"b":1,"a":[1,2]}'
regexp_like({text},{regex})
regexp_extract({text},{regex})
regexp_extract({text},'(a)(b)',{small})
regexp_extract_all({text},{regex})
regexp_extract_all({text},'(a)(b)?',{small})
regexp_replace({text},{regex})
regexp_replace({text},{regex},{replacement})
regexp_replace({text},'([a-c])',x -> upper(x[1]))
regexp_split({text},{regex})
regexp_count({text},{regex})
regexp_position({text},{regex})
regexp_position({text},{regex},{small})
date_trunc({unit},{time})
date_add({unit},{places},{time})
date_add({unit},13,{time})
date_diff({unit},{time},{time})
date_diff({unit},{moment},{moment})
extract({field} FROM {time})
year({time}), quarter({time}), month({time}), day({time})
week({time}), week_of_year({time}), yow({time}), year_of_week({time})
dow({time}), day_of_week({time}), doy({time}), day_of_year({time}), day_of_month({time})
hour({moment}), minute({moment}), second({moment}), millisecond({moment})
timezone_hour({moment})
timezone_minute({moment})
last_day_of_month({time})
to_unixtime({time})
from_unixtime({number})
from_unixtime({finite},{zone})
from_unixtime({integer},5,30)
from_unixtime_nanos({whole})
to_iso8601({time})
from_iso8601_timestamp({written})
from_iso8601_timestamp_nanos({written})
from_iso8601_date({written})
to_milliseconds({interval})
date({time})
date({written})
human_readable_seconds({number})
parse_duration({duration})
parse_data_size({size})
parse_presto_data_size({size})
date_format({time},{mysqlformat})
date_format({moment},{mysqlformat})
format_datetime({time},{jodaformat})
format_datetime({moment},{jodaformat})
date_parse({written},'%Y-%m-%d %H:%i:%s')
date_parse({written},'%y-%c-%e')
date_parse({written},'%b %e %Y')
date_parse({written},'%h %p')
parse_datetime({written},'yyyy-MM-dd HH:mm:ss')
{moment} AT TIME ZONE {zone}
at_timezone({moment},{zone})
with_timezone({moment},{zone})
to_char(TIMESTAMP '2026-03-29 01:59:59','yyyy-mm-dd')
to_date('2026-01-02','yyyy-mm-dd')
to_timestamp('2026-01-02','yyyy-mm-dd')
timezone({moment})
{time} + {interval}
{time} - {interval}
{interval} + {interval}
{interval} * {places}
{time} - {time}
{time} = {time}
{time} < {time}
{time} BETWEEN {time} AND {time}
cast({address} as ipaddress)
cast(cast({address} as ipaddress) as varchar)
contains({network},cast({address} as ipaddress))
cast({address} as ipaddress) < cast({address} as ipaddress)
url_extract_host({url})
url_extract_query({url})
url_extract_path({url})
url_extract_port({url})
url_extract_protocol({url})
url_extract_fragment({url})
url_extract_parameter({url},'a')
typeof({number})
typeof({time})
typeof({text})
typeof({map})
typeof({array})
typeof(cast({text} as varchar(5)))
format({format},{integer})
format({format},{double})
format('%s %s',{text},{text})
format_number({number})
uuid() IS NULL
cast('12151fd2-7586-11e9-8f9e-2a86e4085a59' as uuid)
count(x), sum(x), avg(x), min(x), max(x) FROM (VALUES {exact}, {exact}) t(x)
count(x), sum(x), avg(x), min(x), max(x) FROM (VALUES {positive}, {positive}, {positive}) t(x)
min(x), max(x), count(DISTINCT x) FROM (VALUES {text}, {text}, {text}) t(x)
min(x), max(x) FROM (VALUES {time}, {time}) t(x)
count(*) FILTER (WHERE x > 1), sum(DISTINCT x) FROM (VALUES {integer}, {integer}, {integer}) t(x)
stddev(x), variance(x), stddev_pop(x), var_pop(x), stddev_samp(x), var_samp(x) FROM (VALUES {finite}, 2e0, NULL) t(x)
skewness(x), kurtosis(x) FROM (VALUES 1e0, 2e0, 4e0, {small}) t(x)
corr(x,y), covar_pop(x,y), covar_samp(x,y), regr_slope(x,y), regr_intercept(x,y) FROM (VALUES ({small},1e0), (2e0,2e0), (2e0,{small})) t(x,y)
geometric_mean(x) FROM (VALUES 1e0, 4e0, {small}) t(x)
array_agg(x ORDER BY x), approx_distinct(x) FROM (VALUES {text}, {text}, {text}) t(x)
array_agg(DISTINCT x ORDER BY x) FROM (VALUES {text}, {text}, {text}) t(x)
array_agg(x ORDER BY x DESC NULLS FIRST) FILTER (WHERE x IS NOT NULL) FROM (VALUES {integer}, {integer}) t(x)
bool_and(x), bool_or(x), every(x), count_if(x) FROM (VALUES {boolean}, {boolean}) t(x)
listagg(x, ',') WITHIN GROUP (ORDER BY x) FROM (VALUES {text}, {text}) t(x)
listagg(DISTINCT x) WITHIN GROUP (ORDER BY x) FROM (VALUES {text}, {text}) t(x)
approx_percentile(x, 0.5) FROM (VALUES {small}, {small}, 9) t(x)
approx_percentile(x, ARRAY[0.1,0.9]) FROM (VALUES {small}, {small}, 9) t(x)
histogram(x) FROM (VALUES {text}) t(x)
map_agg(x, 1) FROM (VALUES {text}) t(x)
multimap_agg('a', x) FROM (VALUES {text}) t(x)
map_union(x) FROM (VALUES {textmap}) t(x)
map_union(m) FROM (VALUES MAP(ARRAY['a'],ARRAY[1]), NULL, MAP(ARRAY['b'],ARRAY[{integer}])) t(m)
set_agg(x) FROM (VALUES {text}) t(x)
set_union(x) FROM (VALUES {texts}) t(x)
max_by(x,y), min_by(x,y) FROM (VALUES (1,{double}), (2,{double}), (3,{double})) t(x,y)
max_by(x,y,2), min_by(x,y,2) FROM (VALUES (1,3), (2,{divisor}), (3,-7)) t(x,y)
max(x,2), min(x,2) FROM (VALUES {integer}, 3, {integer}) t(x)
any_value(x), arbitrary(x) FROM (VALUES {text}) t(x)
checksum(x) FROM (VALUES {integer}) t(x)
bitwise_and_agg(x), bitwise_or_agg(x), bitwise_xor_agg(x) FROM (VALUES {whole}, {whole}) t(x)
reduce_agg(x, 0, (a,b) -> a + b, (a,b) -> a + b) FROM (VALUES 1, {small}) t(x)
approx_most_frequent(2, x, 10) FROM (VALUES 'a', 'a', 'b') t(x)
numeric_histogram(2, x) FROM (VALUES 1e0, {finite}) t(x)
entropy(x) FROM (VALUES 1, {small}) t(x)
x, row_number() OVER (ORDER BY x), rank() OVER (ORDER BY x), lag(x) OVER (ORDER BY x), ntile(2) OVER (ORDER BY x) FROM (VALUES 1, {small}, 7) t(x) ORDER BY 2
x, dense_rank() OVER (ORDER BY x), percent_rank() OVER (ORDER BY x), cume_dist() OVER (ORDER BY x) FROM (VALUES {integer}, {integer}, 3) t(x) ORDER BY x, 2
first_value(x) OVER (ORDER BY x), last_value(x) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), nth_value(x,2) OVER (ORDER BY x) FROM (VALUES {integer}, 5, 6) t(x) ORDER BY 1, 2, 3
x, lead(x,1,-1) OVER (ORDER BY x), sum(x) OVER (ORDER BY x) FROM (VALUES {integer}, {small}, 2) t(x) ORDER BY x
x, sum(1) OVER w FROM (VALUES {small}, {small}, 2) t(x) WINDOW w AS (ORDER BY x) ORDER BY x
x, count(*) OVER (ORDER BY x RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) FROM (VALUES DATE '2026-01-01', DATE '2026-01-02', {time}) t(x) ORDER BY 1
x, y, count(*) FROM (VALUES ({text},{integer}), ({text},1)) t(x,y) GROUP BY ROLLUP (x, y) ORDER BY 1, 2, 3
x, grouping(x), count(*) FROM (VALUES {integer}, {integer}) t(x) GROUP BY CUBE (x) ORDER BY 1, 2
{integer} IN ({integer}, {integer})
{integer} BETWEEN {integer} AND {integer}
{integer} IS DISTINCT FROM {integer}
{integer} NOT IN ({integer}, NULL)
{text} IN ({text}, {text})
{integer} > ALL (VALUES {integer}, 1)
{integer} = ANY (VALUES {integer}, 1)
{boolean} AND {boolean} OR NOT {boolean}
* FROM UNNEST({array}) WITH ORDINALITY AS t(x, n)
* FROM UNNEST({map}) AS t(k, v)
* FROM UNNEST({numbers},{texts}) AS t(x, y)
x, y FROM (VALUES {numbers}) t(a) CROSS JOIN LATERAL (SELECT cardinality(a) AS y) CROSS JOIN UNNEST(a) AS u(x)
x FROM (VALUES {integer}, {integer}) t(x) UNION SELECT {integer}
x FROM (VALUES {integer}, {integer}) t(x) EXCEPT SELECT {integer}
x FROM (VALUES {text}, {text}) t(x) INTERSECT SELECT {text}
x FROM (VALUES {integer}, {integer}, 2) t(x) ORDER BY x DESC NULLS LAST LIMIT 2
1_000, 0xFF, 0b101, 0o17, 1.5e3, .5, 5.
{row}[1], {row}[2]
human_readable_seconds(3762)
current_timezone()
now() IS NULL
to_big_endian_32({small})
bar(0.5, 4) IS NULL
""")
"""What follows SELECT."""
