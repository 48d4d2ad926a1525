"""Five questions, asked one after another as an agent would: each uses what the answers before it said.

Decides the questions, what is read out of each answer, and whether an answer holds what happened. What happened is
known from the incident's generator; no answer is written down here. It prints nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crosstrail.demo import alibaba, volcengine
from crosstrail.demo.answers import listed, objects, rows
from crosstrail.demo.incident import Incident
from crosstrail.demo.organization import accounts
from crosstrail.json_values import Json, table, text
from crosstrail.timerange import iso

CallTool = Callable[[str, Json], Awaitable[tuple[str, bool]]]
"""(tool, arguments) -> the text of the answer, and whether it is an error."""

_DENIED = """\
SELECT count(*) AS denied, account, useridentity.arn AS principal
FROM events
WHERE eventtime BETWEEN timestamp '{start}'
                    AND timestamp '{end}'
  AND (errorcode LIKE 'AccessDenied%' OR errorcode LIKE '%Unauthorized%'
       OR errorcode IN ('NoPermission', 'Forbidden.RAM'))
GROUP BY 2, 3 ORDER BY denied DESC, principal LIMIT 10"""
_SAME_ADDRESS = """\
SELECT cloud, account, count(*) AS calls,
       date_format(min(eventtime), '%m-%d %H:%i') AS first,
       date_format(max(eventtime), '%m-%d %H:%i') AS last,
       useridentity.accesskeyid AS access_key
FROM events WHERE sourceipaddress = '{address}'
GROUP BY cloud, account, useridentity.accesskeyid ORDER BY first"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question, the call it became, the answer as the agent gets it, and what is wrong with the answer."""

    question: str
    tool: str
    arguments: Json
    answer: str
    wrong: str = ""


@dataclass(slots=True)
class Findings:
    """What the answers said so far, and nothing else."""

    names: dict[str, str] = field(default_factory=dict)
    """Account id -> alias."""
    stopped: Json = field(default_factory=dict)
    """The event that stopped logging, whole."""
    calls: list[dict[str, str]] = field(default_factory=list)
    """What the key did, newest first."""
    keys: list[dict[str, str]] = field(default_factory=list)
    """The keys used from that address, with where, how often and when."""

    @property
    def access_key(self) -> str:
        return text(table(self.stopped["userIdentity"])["accessKeyId"])

    @property
    def address(self) -> str:
        return str(self.stopped["sourceIPAddress"])

    def marks(self) -> tuple[str, ...]:
        """What runs through the case like a thread, as far as it is known."""
        return (self.access_key, self.address) if self.stopped else ()

    def day(self) -> tuple[str, str]:
        """The day on which logging stopped, as two times of ISO 8601."""
        start = datetime.fromisoformat(text(self.stopped["eventTime"])).replace(hour=0, minute=0, second=0)
        return iso(start), iso(start + timedelta(days=1, seconds=-1))

    def conclusion(self) -> str:
        """One sentence from the answers."""
        who = text(table(self.stopped["userIdentity"]).get("userName")) or "somebody"
        stopped_at = datetime.fromisoformat(text(self.stopped["eventTime"]))
        denied = sum(bool(call.get("error")) for call in self.calls)
        others = [row for row in self.keys if row["access_key"] not in ("", self.access_key)]
        places = ", ".join(dict.fromkeys(self.names.get(row["account"], row["account"]) for row in others))
        return (
            f"On {stopped_at:%Y-%m-%d} the access key of {who} was used from {self.address} for {len(self.calls)} calls, "
            f"{denied} of them denied; it stopped logging at {stopped_at:%H:%M} UTC; and {len(others)} more keys were "
            f"used from the same address, in {places}."
        )


class Investigation:
    """The five questions. `expected` is what really happened; `findings` fills up while they are asked."""

    def __init__(self, call_tool: CallTool, expected: Incident) -> None:
        self._call = call_tool
        self._expected = expected
        self.findings = Findings()

    async def ask(self) -> AsyncIterator[Exchange]:
        """One exchange after another. Stops early when an answer lacks what the next question needs."""
        for step in (self._accounts, self._who_stopped_logging, self._what_the_key_did, self._denied, self._address):
            exchange = await step()
            yield exchange
            if exchange.wrong:
                return

    async def _ask(self, question: str, tool: str, arguments: Json, judge: Callable[[str], str]) -> Exchange:
        """`judge` takes what it needs from the answer's text and says what is wrong with it."""
        answer, failed = await self._call(tool, arguments)
        wrong = f"{tool} answered with an error" if failed else judge(answer)
        return Exchange(question, tool, arguments, answer, wrong)

    async def _accounts(self) -> Exchange:
        def judge(answer: str) -> str:
            self.findings.names = {row["account"]: row["alias"] for row in listed(answer)}
            return _differ("accounts", set(self.findings.names), {account.id for account in accounts()})

        return await self._ask("Which accounts can you see?", "list_accounts", {}, judge)

    async def _who_stopped_logging(self) -> Exchange:
        def judge(answer: str) -> str:
            found = objects(answer)
            self.findings.stopped = found[0] if found else {}
            return _differ("events", {text(event["eventID"]) for event in found}, {self._expected.stop_logging_id})

        arguments = {
            "target_account_id": "*",
            "attribute_key": "EventName",
            "attribute_value": "StopLogging",
            "detail": "full",
        }
        return await self._ask("Did anybody stop logging, in any account?", "lookup_events", arguments, judge)

    async def _what_the_key_did(self) -> Exchange:
        def judge(answer: str) -> str:
            self.findings.calls = rows(answer)
            expected = {event["eventID"] for event in self._expected.of_key(self._expected.access_key)}
            return _differ("events", {row["event_id"] for row in self.findings.calls}, expected)

        start, end = self.findings.day()
        arguments = {
            "target_account_id": "*",
            "start_time": start,
            "end_time": end,
            "attribute_key": "AccessKeyId",
            "attribute_value": self.findings.access_key,
            "max_results": 50,
        }
        return await self._ask(
            "What else did that key do that day, in all accounts?", "lookup_events", arguments, judge
        )

    async def _denied(self) -> Exchange:
        def judge(answer: str) -> str:
            top = next(iter(rows(answer)), {})
            intruder = [event for event in self._expected.of_key(self._expected.access_key) if "errorCode" in event]
            if not top.get("principal", "").endswith(f"user/{self._expected.user}"):
                return f"{self._expected.user} is not the one who was denied most"
            return "" if int(top["denied"]) >= len(intruder) else f"{top['denied']} of {len(intruder)} denied calls"

        start, end = (moment.replace("T", " ").removesuffix("Z") for moment in self.findings.day())
        arguments = {"sql": _DENIED.format(start=start, end=end)}
        return await self._ask("Who was denied most that day?", "lake_query", arguments, judge)

    async def _address(self) -> Exchange:
        def judge(answer: str) -> str:
            self.findings.keys = rows(answer)
            night = self._expected
            expected = {night.access_key, night.session_key, night.backdoor_key}
            expected |= {item["AccessKeyID"] for item in volcengine.incident()}
            expected |= {event["userIdentity"]["accessKeyId"] for event in alibaba.incident()}
            return _differ("keys", {row["access_key"] for row in self.findings.keys} - {""}, expected)

        arguments = {"sql": _SAME_ADDRESS.format(address=self.findings.address)}
        return await self._ask("What else came from that address, in any cloud?", "lake_query", arguments, judge)


def _differ(what: str, found: set[str], expected: set[str]) -> str:
    """Empty when they are the same."""
    if found == expected:
        return ""
    return f"{len(found & expected)} of {len(expected)} expected {what}, and {len(found - expected)} others"
