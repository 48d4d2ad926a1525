"""Who assumed what from whom: credentials that an event gave out, and the events that were signed with them, across accounts.

Decides which events give credentials, how the copies of one call in two accounts are one (`sharedEventID`), and how far a chain is
followed. Statements run over a table `own` with the subject's access keys; a key in an account that is not read leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crosstrail.engines.analysis import Rows

MAX_KEYS = 2_000
"""Of the subject, those used last."""
MAX_LINKS = 4_000
MAX_BRANCHES = 400
DEPTH = 8
"""Sessions that a chain is followed in each direction."""
_GIVING = (
    "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken", "GetFederationToken",
    "AssumeRoleWithOIDC", "CreateAccessKey",
)  # fmt: skip
_GIVEN = """coalesce(json_extract_string(responseelements['credentials'], '$.accessKeyId'),
json_extract_string(responseelements['Credentials'], '$.AccessKeyId'), json_extract_string(responseelements['Result'], '$.Credentials.AccessKeyId'),
json_extract_string(responseelements['accessKey'], '$.accessKeyId'), json_extract_string(responseelements['AccessKey'], '$.AccessKeyId'),
json_extract_string(responseelements['Result'], '$.AccessKey.AccessKeyId'))"""
_RECEIVER = """coalesce(json_extract_string(responseelements['assumedRoleUser'], '$.arn'),
json_extract_string(responseelements['AssumedRoleUser'], '$.Arn'), json_extract_string(responseelements['Result'], '$.AssumedRoleUser.Trn'),
json_extract_string(responseelements['federatedUser'], '$.arn'), requestparameters['roleArn'], requestparameters['RoleArn'],
CASE WHEN eventname = 'CreateAccessKey' THEN 'user/' || coalesce(requestparameters['userName'], requestparameters['UserName'],
json_extract_string(responseelements['accessKey'], '$.userName'), '') ELSE useridentity.arn END, '')"""


@dataclass(frozen=True, slots=True)
class SessionLink:
    """One event that gave credentials: `giver` (a principal, with the key that it signed with) got `key` for `receiver`."""

    giver: str
    giver_key: str
    key: str
    receiver: str
    action: str
    at: datetime
    accounts: tuple[str, ...]
    event: str
    identity: str
    """The source identity that the session carries, where one was set."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What was signed with one key, in the accounts that were read."""

    principal: str
    events: int
    failed: int
    first: datetime
    last: datetime
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionChain:
    """`subject`: the keys of the subject's own events. `cut`: there are more keys or links than were followed."""

    links: tuple[SessionLink, ...] = ()
    uses: Mapping[str, KeyUse] = field(default_factory=dict)
    subject: frozenset[str] = frozenset()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """Sessions alike, in a tree: the same principal, got the same way from the branch above. `times`: how often it was got."""

    label: str
    action: str
    keys: tuple[str, ...]
    times: int
    first: datetime | None
    last: datetime | None
    events: int
    failed: int
    accounts: tuple[str, ...]
    of_subject: bool
    branches: tuple[Branch, ...] = ()
    identity: str = ""


def chain_statements() -> tuple[str, ...]:
    names = ", ".join(f"'{name}'" for name in _GIVING)
    gave = f"eventname IN ({names}) AND responseelements IS NOT NULL"
    return (
        f"""CREATE TEMP TABLE answers AS SELECT cloud, sharedeventid AS share, eventid, {_GIVEN} AS key, access_key_id AS giver_key
FROM events WHERE {gave}""",  # noqa: S608
        """CREATE TEMP TABLE given AS SELECT cloud, eventid AS call, key, coalesce(giver_key, '') AS giver_key FROM answers
WHERE key IS NOT NULL AND coalesce(share, '') = '' UNION ALL SELECT cloud, share, max(key), coalesce(max(giver_key), '') FROM answers
WHERE share <> '' GROUP BY cloud, share HAVING max(key) IS NOT NULL""",
        f"""CREATE TEMP TABLE subject_keys AS SELECT cloud, access_key_id AS key FROM own WHERE access_key_id <> ''
GROUP BY ALL ORDER BY max(last) DESC, key LIMIT {MAX_KEYS}""",  # noqa: S608
        f"""CREATE TEMP TABLE above AS WITH RECURSIVE up(cloud, key, depth) AS (SELECT cloud, key, 0 FROM subject_keys UNION
SELECT up.cloud, given.giver_key, up.depth + 1 FROM up JOIN given ON given.cloud = up.cloud AND given.key = up.key
WHERE up.depth < {DEPTH} AND given.giver_key <> '') SELECT DISTINCT cloud, key FROM up""",  # noqa: S608
        f"""CREATE TEMP TABLE below AS WITH RECURSIVE down(cloud, key, depth) AS (SELECT cloud, key, 0 FROM subject_keys UNION
SELECT down.cloud, given.key, down.depth + 1 FROM down JOIN given ON given.cloud = down.cloud AND given.giver_key = down.key
WHERE down.depth < {DEPTH}) SELECT DISTINCT cloud, key FROM down""",  # noqa: S608
        """CREATE TEMP TABLE calls AS SELECT * FROM given WHERE EXISTS (SELECT 1 FROM above WHERE above.cloud = given.cloud AND
above.key = given.key) OR EXISTS (SELECT 1 FROM below WHERE below.cloud = given.cloud AND below.key = given.giver_key)""",
        f"""CREATE TEMP TABLE links AS SELECT cloud, max(calls.key) AS key, max(calls.giver_key) AS giver_key,
coalesce(max(useridentity.arn), max(principal), '') AS giver, max({_RECEIVER}) AS receiver, min(eventname) AS action,
min(eventtime) AS given_at, list_sort(list(DISTINCT account)) AS accounts, min(eventid) AS event,
coalesce(max(requestparameters['sourceIdentity']), max(useridentity.sessioncontext.sourceidentity), '') AS identity
FROM (SELECT *, coalesce(nullif(sharedeventid, ''), eventid) AS call FROM events WHERE {gave}) JOIN calls USING (cloud, call)
GROUP BY cloud, call ORDER BY given_at DESC, key LIMIT {MAX_LINKS + 1}""",  # noqa: S608
        "SELECT giver, giver_key, key, receiver, action, given_at, accounts, event, identity FROM links ORDER BY given_at, key",
        """SELECT access_key_id, coalesce(max(useridentity.arn), max(principal), ''), count(*),
count(*) FILTER (coalesce(errorcode, '') <> ''), min(eventtime), max(eventtime), list_sort(list(DISTINCT account)) FROM events
WHERE access_key_id IN (SELECT key FROM links UNION SELECT giver_key FROM links UNION SELECT key FROM subject_keys)
AND access_key_id <> '' GROUP BY access_key_id""",
        "SELECT key FROM subject_keys",
        "SELECT count(DISTINCT access_key_id) FROM own WHERE access_key_id <> ''",
    )


def read_chain(tables: Sequence[Rows]) -> SessionChain:
    links, uses, keys, every = tables
    read = tuple(
        SessionLink(
            str(giver), str(giver_key), str(key), str(receiver), str(action), _at(at), _texts(accounts), str(event), str(identity)
        )
        for giver, giver_key, key, receiver, action, at, accounts, event, identity in links[:MAX_LINKS]
    )  # fmt: skip
    used = {
        str(key): KeyUse(str(who), _number(events), _number(failed), _at(first), _at(last), _texts(accounts))
        for key, who, events, failed, first, last, accounts in uses
    }
    subject = frozenset(str(key) for (key,) in keys)
    return SessionChain(read, used, subject, len(links) > MAX_LINKS or _number(every[0][0]) > len(subject))


def tree(chain: SessionChain) -> tuple[Branch, ...]:
    """From those who began to those who came last, sessions alike together; at most MAX_BRANCHES."""
    return _Tree(chain).branches()


class _Tree:
    """Links may be forged: in a circle, or so that paths multiply. So a key is not below itself, and branches are counted."""

    def __init__(self, chain: SessionChain) -> None:
        self._chain = chain
        self._left = MAX_BRANCHES
        self._given: dict[str, list[SessionLink]] = {}
        for link in chain.links:
            self._given.setdefault(link.giver_key or f"?{link.giver}", []).append(link)

    def branches(self) -> tuple[Branch, ...]:
        got = {link.key for link in self._chain.links}
        roots = [key for key in self._given if key not in got]
        lone = [key for key in sorted(self._chain.subject) if key not in got and key not in self._given]
        reached = self._reached(roots)
        circle = [key for key in self._given if key not in reached][:1]
        return self._level([(key, None) for key in (*roots, *lone, *circle)], frozenset(), 0)

    def _reached(self, roots: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        left = list(roots)
        while left:
            key = left.pop()
            if key not in seen:
                seen.add(key)
                left += [link.key for link in self._given.get(key, ())]
        return seen

    def _level(
        self, level: Sequence[tuple[str, SessionLink | None]], before: frozenset[str], depth: int
    ) -> tuple[Branch, ...]:
        alike: dict[tuple[str, str], list[tuple[str, SessionLink | None]]] = {}
        for key, link in level:
            if key not in before:
                alike.setdefault((self._label(key, link), link.action if link else ""), []).append((key, link))
        found = []
        for (label, action), same in alike.items():
            self._left -= 1
            if self._left < 0:
                break
            keys = list(dict.fromkeys(key for key, _ in same))
            below = [(link.key, link) for key in keys for link in self._given.get(key, ())]
            inner = self._level(below, before | set(keys), depth + 1) if depth < 2 * DEPTH else ()
            found.append(self._branch(label, action, same, keys, inner))
        return tuple(found)

    def _branch(
        self,
        label: str,
        action: str,
        same: Sequence[tuple[str, SessionLink | None]],
        keys: Sequence[str],
        branches: tuple[Branch, ...],
    ) -> Branch:
        links = [link for _, link in same if link]
        uses = [self._chain.uses[key] for key in keys if key in self._chain.uses]
        return Branch(
            label,
            action,
            tuple(key for key in keys if not key.startswith("?")),
            len(same),
            min((link.at for link in links), default=None),
            max((link.at for link in links), default=None),
            sum(use.events for use in uses),
            sum(use.failed for use in uses),
            tuple(sorted({account for use in uses for account in use.accounts})),
            not self._chain.subject.isdisjoint(keys),
            branches,
            next((link.identity for link in links if link.identity), ""),
        )

    def _label(self, key: str, link: SessionLink | None) -> str:
        """Who signs with the key, as its own events say, else as who gave or got it is called."""
        if key in self._chain.uses and self._chain.uses[key].principal:
            return self._chain.uses[key].principal
        if link:
            return link.receiver
        return next((link.giver for link in self._given.get(key, ())), "")


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _at(value: object) -> datetime:
    return datetime.fromisoformat(str(value))
