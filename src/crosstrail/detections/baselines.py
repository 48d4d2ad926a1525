"""What is new: who did what they had never done, learned from what the same accounts logged before the time asked about.

Decides what is compared (actions, services, regions, programs and networks of each principal; networks and idle days of each key; denials)
and from when on enough was learned to compare. One pass over all events groups them by hashes of their texts, since many
strings are what such a pass costs; texts are read of the few events that something new was found in. Calls that a service of the
cloud made by itself are left out. It guesses nothing: an account with too short a history is named instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crosstrail.detections.event_facts import DENIED, moment
from crosstrail.detections.findings import MAX_EXAMPLES
from crosstrail.timerange import TimeRange

LEARNING_DAYS = 14
"""Days with logs before the time asked about, of the account."""
PRINCIPAL_DAYS, PRINCIPAL_EVENTS = 7, 20
"""Since when, and by how many events, a principal must be known to be judged."""
DORMANT_DAYS = 30
KEY_NETWORKS, SESSION_NETWORKS = 3, 2
"""Networks from which a key, or the key of a session, is seldom used in one span of time."""
USUAL_SPAN = timedelta(days=1)
MAX_FINDINGS = 2_000
MAX_VALUES = 20
MAX_STAYS = 50_000
_WHO = (
    "coalesce(useridentity.sessioncontext.sessionissuer.arn, CASE WHEN contains(useridentity.arn, ':assumed-role/') "
    "THEN regexp_replace(useridentity.arn, '/[^/]*$', '') ELSE useridentity.arn END, principal, '')"
)
_OWN = "coalesce(useridentity.type, '') NOT IN ('AWSService', 'system')"
_LINKED = "/aws-service-role/"
"""In the ARN of roles that services of AWS make for themselves."""
_AGENT = "regexp_extract(useragent, '^[^/ ]*')"
_V6 = (
    "array_to_string(list_transform(list_slice(list_concat(string_split(split_part(sourceipaddress, '::', 1), ':'), "
    "['0', '0', '0']), 1, 3), lambda part: coalesce(nullif(ltrim(lower(part), '0'), ''), '0')), ':') || '::/48'"
)
_NETWORK = (
    f"CASE WHEN contains(sourceipaddress, ':') THEN {_V6} "
    "ELSE regexp_extract(sourceipaddress, '^[0-9]+[.][0-9]+[.][0-9]+[.]') END"
)
"""What the addresses of one network, /24 or /48, have in common; empty of what is no address: a service that called for somebody."""
NETWORK_TEXT = f"regexp_replace({_NETWORK}, '[.]$', '.0/24')"
_API = "regexp_replace(coalesce(eventsource, ''), '[.]amazonaws[.]com$', '') || ':' || coalesce(eventname, '')"
_SERVICE = "coalesce(eventsource, '')"
_KEY = "coalesce(access_key_id, '')"
_EXAMPLE = (
    "{'id': eventid, 'time': eventtime, 'name': coalesce(eventname, ''), 'source': coalesce(eventsource, ''), "
    "'region': coalesce(awsregion, ''), 'address': coalesce(sourceipaddress, ''), 'error': coalesce(errorcode, '')}"
)


@dataclass(frozen=True, slots=True)
class LearningSpan:
    """`start`: what happens from here on is compared with what was before, up to `end`."""

    start: datetime
    end: datetime

    @property
    def read(self) -> TimeRange:
        """Whose events the statements need."""
        return TimeRange(None, self.end)


def learning_span(span: TimeRange, now: datetime) -> LearningSpan:
    """Of the time asked about; without a start its last day."""
    end = span.end or now
    return LearningSpan(span.start or end - USUAL_SPAN, end)


def baseline_statements(span: LearningSpan, *, places: bool = False) -> tuple[str, ...]:
    """Over `events` of the time `span.read`; baseline_findings.py reads their rows. `places`: with where each caller was."""
    start = moment(span.start)
    enough = f"days >= {LEARNING_DAYS}"
    return (
        _seen(start),
        f"""CREATE TEMP TABLE learned AS SELECT cloud, account, hash(cloud, account) AS x,
count(*) FILTER (day < CAST({start} AS DATE)) AS days, min(first) AS since FROM seen WHERE account IS NOT NULL GROUP BY ALL""",  # noqa: S608
        """CREATE TEMP TABLE known AS SELECT x, w, coalesce(sum(n) FILTER (before), 0) AS learned_from,
min(first) AS known_since, bool_or(before) AS before FROM seen WHERE r IS NOT NULL GROUP BY ALL""",
        f"""CREATE TEMP TABLE judged AS SELECT x, w FROM known JOIN learned USING (x) WHERE {enough} AND before
AND learned_from >= {PRINCIPAL_EVENTS} AND known_since <= {start} - INTERVAL {PRINCIPAL_DAYS} DAY""",  # noqa: S608
        _fresh(enough),
        """CREATE TEMP TABLE wanted AS SELECT x, w, list(v) FILTER (kind = 'denied') AS denied, list(v) FILTER (kind = 'service') AS service,
list(v) FILTER (kind = 'api') AS api, list(v) FILTER (kind = 'region') AS region, list(v) FILTER (kind = 'program') AS program,
list(v) FILTER (kind = 'network') AS network, list(v) FILTER (kind = 'principal') AS principal FROM fresh GROUP BY ALL""",
        _keys(start),
        _found(start),
        _found_keys(start),
        "SELECT cloud, account, days, since FROM learned ORDER BY cloud, account",
        f"""SELECT cloud, account, count(*) FROM known JOIN learned USING (x) WHERE before AND {enough}
AND NOT EXISTS (SELECT 1 FROM judged WHERE judged.x = known.x AND judged.w = known.w) GROUP BY ALL ORDER BY ALL""",  # noqa: S608
        *([_stays(start)] if places else []),
    )


def _seen(start: str) -> str:
    """Every combination that is compared: hashes of account (x), principal (w), service (s) and action (i), region (r), program (g),
    network (net), key (k; recent_k: of those in the span alone). Which of them are not NULL says what a row counts."""
    return f"""CREATE TEMP TABLE seen AS SELECT cloud, account, day, x, w, s, i, r, g, net, k, recent_k, before, errorcode, count(*) AS n,
min(t) AS first FROM ({_hashed(start, _OWN)}) GROUP BY GROUPING SETS ((cloud, account, day), (x, w, s, i, before, errorcode),
(x, w, r, g, before), (x, w, net, before), (x, recent_k, net), (x, k, day))"""  # noqa: S608


def _hashed(start: str, condition: str, further: str = "") -> str:
    return f"""SELECT cloud, account, CAST(eventtime AS DATE) AS day, hash(cloud, account) AS x, hash({_WHO}) AS w, hash({_SERVICE}) AS s,
hash(eventsource, eventname) AS i, hash(coalesce(awsregion, '')) AS r, hash(coalesce({_AGENT}, '')) AS g,
hash(coalesce({_NETWORK}, '')) AS net, hash({_KEY}) AS k,
CASE WHEN eventtime >= {start} THEN hash({_KEY}) ELSE 0 END AS recent_k, eventtime < {start} AS before, eventtime AS t,
errorcode{further} FROM events WHERE {condition}"""  # noqa: S608


def _fresh(enough: str) -> str:
    """(kind, x, w, v): what a principal never was seen with before. Actions of a service that is new, or that were refused, are said
    once."""
    empty = "hash('')"

    def never(kind: str, column: str, which: str) -> str:
        return f"""SELECT '{kind}' AS kind, x, w, {column} AS v FROM seen JOIN judged USING (x, w) WHERE {which} AND {column} <> {empty}
GROUP BY x, w, {column} HAVING NOT bool_or(before)"""  # noqa: S608

    return f"""CREATE TEMP TABLE fresh AS WITH refused AS (SELECT 'denied' AS kind, x, w, i AS v FROM seen JOIN learned USING (x)
WHERE i IS NOT NULL AND {enough} AND {DENIED} AND NOT before
AND NOT EXISTS (SELECT 1 FROM seen AS old WHERE old.x = seen.x AND old.i = seen.i AND old.before)),
services AS ({never("service", "s", "i IS NOT NULL")}),
actions AS ({never("api", "i", "i IS NOT NULL AND NOT EXISTS (SELECT 1 FROM services WHERE services.x = seen.x AND services.w = seen.w AND services.v = seen.s)")})
SELECT * FROM refused UNION ALL SELECT * FROM services UNION ALL
SELECT * FROM actions WHERE NOT EXISTS (SELECT 1 FROM refused WHERE refused.x = actions.x AND refused.w = actions.w AND refused.v = actions.v)
UNION ALL {never("region", "r", "r IS NOT NULL")} UNION ALL {never("program", "g", "g IS NOT NULL")}
UNION ALL {never("network", "net", "w IS NOT NULL AND net IS NOT NULL")}
UNION ALL SELECT 'principal', x, w, w FROM known JOIN learned USING (x) WHERE NOT before AND {enough}"""  # noqa: S608


def _keys(start: str) -> str:
    """Keys used from several networks, and those used again after a long time: with the day before, and days in between."""
    return f"""CREATE TEMP TABLE keys AS SELECT 'key-networks' AS kind, x, recent_k AS k, NULL::DATE AS previous, count(*) AS n FROM seen
WHERE recent_k NOT IN (0, hash('')) AND net <> hash('') GROUP BY x, recent_k HAVING count(*) >= {SESSION_NETWORKS}
UNION ALL SELECT 'dormant', x, k, max(previous), max(day - previous) FROM (SELECT x, k, day, lag(day) OVER (PARTITION BY x, k ORDER BY day) AS previous
FROM seen WHERE k IS NOT NULL AND day IS NOT NULL AND k <> hash('')) WHERE day >= CAST({start} AS DATE) AND day - previous >= {DORMANT_DAYS}
GROUP BY x, k"""  # noqa: S608


def _found(start: str) -> str:
    """A row for each kind, account and principal: what is new, and the first events that it was seen in."""
    pairs = {
        "denied": "i",
        "service": "s",
        "api": "i",
        "region": "r",
        "program": "g",
        "network": "net",
        "principal": "w",
    }
    kinds = ", ".join(f"CASE WHEN list_contains({kind}, {column}) THEN '{kind}' END" for kind, column in pairs.items())
    further = f""", {_WHO} AS who, {_API} AS action, {_SERVICE} AS service_text, coalesce(awsregion, '') AS region_text,
coalesce({_AGENT}, '') AS agent_text, {NETWORK_TEXT} AS network_text, {_EXAMPLE} AS example"""
    return f"""SELECT kind, cloud, account, who, count(*) AS events, min(t), max(t),
list_slice(list_sort(list(DISTINCT value)), 1, {MAX_VALUES}), count(DISTINCT value), min_by(example, t, {MAX_EXAMPLES}),
max(learned_from), min(known_since), max(days), min(since)
FROM (SELECT *, CASE kind WHEN 'service' THEN service_text WHEN 'region' THEN region_text WHEN 'program' THEN agent_text
WHEN 'network' THEN network_text WHEN 'principal' THEN who ELSE action END AS value FROM (
SELECT e.*, unnest(list_filter([{kinds}], lambda one: one IS NOT NULL)) AS kind
FROM ({_hashed(start, f"eventtime >= {start} AND {_OWN}", further)}) AS e JOIN wanted USING (x, w))
WHERE (kind <> 'denied' OR {DENIED}) AND NOT contains(who, '{_LINKED}'))
JOIN learned USING (x, cloud, account) JOIN known USING (x, w)
GROUP BY kind, cloud, account, who ORDER BY max(t) DESC, kind, who LIMIT {MAX_FINDINGS}"""  # noqa: S608


def _found_keys(start: str) -> str:
    temporary = "(starts_with(key, 'ASIA') OR starts_with(key, 'STS.') OR starts_with(key, 'AKTP'))"
    return f"""SELECT kind, cloud, account, min(who), key, count(*), min(t), max(t),
list_slice(list_sort(list(DISTINCT net) FILTER (net <> '')), 1, {MAX_VALUES}) AS networks,
count(DISTINCT net) FILTER (net <> ''), min_by(example, t, {MAX_EXAMPLES}), max(previous), max(n), max(days), min(since)
FROM (SELECT cloud, account, hash(cloud, account) AS x, hash({_KEY}) AS k, {_KEY} AS key, {_WHO} AS who, {NETWORK_TEXT} AS net,
eventtime AS t, {_EXAMPLE} AS example FROM events WHERE eventtime >= {start} AND {_OWN}) AS e
JOIN keys USING (x, k) JOIN learned USING (x, cloud, account) GROUP BY kind, cloud, account, key
HAVING kind = 'dormant' OR count(DISTINCT net) FILTER (net <> '') >= CASE WHEN {temporary} THEN {SESSION_NETWORKS} ELSE {KEY_NETWORKS} END
ORDER BY max(t) DESC, key LIMIT {MAX_FINDINGS}"""  # noqa: S608


def _stays(start: str) -> str:
    """Where each caller was, ten minutes together, of callers from more than one network."""
    return f"""SELECT cloud, account, caller, address, came, went, n, example FROM (
SELECT *, min(network) OVER (PARTITION BY cloud, account, caller) <> max(network) OVER (PARTITION BY cloud, account, caller) AS moves FROM (
SELECT cloud, account, coalesce(useridentity.arn, principal, '') AS caller, sourceipaddress AS address, any_value({_NETWORK}) AS network,
min(eventtime) AS came, max(eventtime) AS went, count(*) AS n, min_by({_EXAMPLE}, eventtime) AS example
FROM events WHERE eventtime >= {start} AND {_OWN} AND {_NETWORK} <> ''
GROUP BY cloud, account, caller, address, time_bucket(INTERVAL 10 MINUTE, eventtime))) WHERE moves
ORDER BY cloud, account, caller, came LIMIT {MAX_STAYS}"""  # noqa: S608
