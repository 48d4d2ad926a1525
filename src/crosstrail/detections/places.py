"""Where callers were, by the user's own databases of addresses (.mmdb), and who was at two places faster than an aircraft flies.

Decides what is too fast. Nothing is downloaded; a database that gives no place for an address gives no finding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.detections.baseline_findings import BASELINES, found_events
from crosstrail.detections.baselines import MAX_STAYS
from crosstrail.detections.findings import DetectionFinding
from crosstrail.engines.analysis import Rows
from crosstrail.errors import ConfigError
from crosstrail.json_values import table, text
from crosstrail.models import AccountKey
from crosstrail.origin import install_hint

if TYPE_CHECKING:
    from maxminddb import Reader

FASTEST, NEAREST = 900.0, 500.0
"""Kilometres an hour, and kilometres."""
_EARTH = 6_371.0
_SOONEST = timedelta(minutes=1)
"""Two events of one moment are taken for that far apart."""


@dataclass(frozen=True, slots=True)
class GeoPlace:
    """`name`: a city or a country, as the database has it."""

    latitude: float
    longitude: float
    name: str

    def distance(self, other: GeoPlace) -> float:
        """Kilometres along a great circle."""
        one, two = math.radians(self.latitude), math.radians(other.latitude)
        turn = math.radians(other.longitude - self.longitude)
        half = math.sin((two - one) / 2) ** 2 + math.cos(one) * math.cos(two) * math.sin(turn / 2) ** 2
        return 2 * _EARTH * math.asin(math.sqrt(min(1.0, half)))


class Places:
    """Databases of addresses, open until closed. Raises ConfigError for a file that is none, or without the library."""

    def __init__(self, paths: Sequence[str]) -> None:
        try:
            import maxminddb
        except ImportError as error:
            raise ConfigError("detect.geo needs a library", hint=install_hint("geo")) from error
        self._readers: list[Reader] = []
        for path in paths:
            try:
                self._readers.append(maxminddb.open_database(Path(path).expanduser()))
            except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
                raise ConfigError(
                    f"detect.geo: {path} cannot be read as a database of addresses",
                    hint="Give the path of a .mmdb file.",
                ) from error

    def of(self, address: str) -> GeoPlace | None:
        """Where the address is; None where no database says."""
        for reader in self._readers:
            try:
                found = table(reader.get(address))
            except ValueError:
                return None
            location = table(found.get("location"))
            latitude, longitude = location.get("latitude"), location.get("longitude")
            if isinstance(latitude, float | int) and isinstance(longitude, float | int):
                names = (table(table(found.get(part)).get("names")).get("en") for part in ("city", "country"))
                named = ", ".join(text(name) for name in names if name)
                return GeoPlace(float(latitude), float(longitude), named)
        return None

    def system(self, address: str) -> str:
        """The autonomous system that the address is of, `AS64500 Example`; empty where no database says."""
        for reader in self._readers:
            try:
                found = table(reader.get(address))
            except ValueError:
                return ""
            if isinstance(number := found.get("autonomous_system_number"), int):
                return f"AS{number} {text(found.get('autonomous_system_organization'))}".strip()
        return ""

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


@dataclass(frozen=True, slots=True)
class _Stay:
    account: AccountKey
    caller: str
    address: str
    came: datetime
    went: datetime
    events: int
    example: object


def by_system(findings: Sequence[DetectionFinding], places: Places) -> tuple[list[DetectionFinding], list[str]]:
    """Without keys whose networks are all of one autonomous system, where a database names these; and what is said of that."""
    kept, dropped = [], 0
    for one in findings:
        networks = one.group.get("networks", "").split(", ") if one.rule is BASELINES["key-networks"] else []
        systems = {places.system(network.partition("/")[0]) for network in networks}
        if len(networks) > 1 and len(systems) == 1 and "" not in systems:
            dropped += 1
            continue
        named = ", ".join(sorted(systems - {""}))
        kept.append(replace(one, note=f"{one.note}; {named}") if named else one)
    said = f"Left out: {dropped} key{'s' * (dropped != 1)} used from several networks of one autonomous system."
    return kept, [said] if dropped else []


def travels(rows: Rows, places: Places) -> tuple[list[DetectionFinding], list[str]]:
    """(findings, what is to be said beside them). `rows`: the last table of `baseline_statements`, with places."""
    stays = [
        _Stay((str(cloud), str(account)), str(caller), str(address), _time(came), _time(went), _count(events), example)
        for cloud, account, caller, address, came, went, events, example in rows
    ]
    known = {address: places.of(address) for address in {stay.address for stay in stays}}
    jumps: dict[tuple[AccountKey, str], list[tuple[_Stay, _Stay, float, float]]] = {}
    before: _Stay | None = None
    for stay in stays:
        here = known[stay.address]
        if here is None:
            continue
        there = known[before.address] if before else None
        if before and there and (before.account, before.caller) == (stay.account, stay.caller):
            far = there.distance(here)
            hours = max(stay.came - before.went, _SOONEST) / timedelta(hours=1)
            if far > NEAREST and far / hours > FASTEST:
                jumps.setdefault((stay.account, stay.caller), []).append((before, stay, far, hours))
        before = stay
    unknown = sorted(address for address, place in known.items() if place is None)
    about = [f"No place is known of {len(unknown):,} of {len(known):,} addresses."] if unknown else []
    about += ["Places: the first callers alone, there are too many."] if len(rows) >= MAX_STAYS else []
    return [_travel(*of, found, known) for of, found in jumps.items()], about


def _travel(
    account: AccountKey,
    caller: str,
    found: Sequence[tuple[_Stay, _Stay, float, float]],
    known: dict[str, GeoPlace | None],
) -> DetectionFinding:
    first, second, far, hours = max(found, key=lambda one: one[2] / one[3])
    names = [place.name if (place := known[stay.address]) else "" for stay in (first, second)]
    note = (
        f"{names[0]} ({first.address}) to {names[1]} ({second.address}): {far:,.0f} km in {hours * 60:,.0f} minutes, by detect.geo; "
        f"{len(found)} such jump{'s' * (len(found) != 1)}"
    )
    return DetectionFinding(
        BASELINES["travel"],
        account,
        caller,
        min(one[0].came for one in found),
        max(one[1].went for one in found),
        sum(one[1].events for one in found),
        found_events([first.example, second.example], account),
        {},
        note,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value))
