"""A rule's condition, as pySigma parses it, as SQL over the columns of `events`.

Sigma has two truth values, SQL has three. What a rule asks of a field that an event has not is false, and so its negation is
true: that is written at each NOT, and a NULL at the end is no match. `null` asks that there is no value, and JSON's null
is none; an empty text is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    SigmaCasedString,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from crosstrail.detections.field_sql import RECORD, FieldSql, field_sql
from crosstrail.detections.rules import Condition
from crosstrail.detections.value_tests import NotCompiled, any_of, joined, number, one_of

_MOST_PINS = 1_000
_LONGEST_NAME = 300
_LONGEST = 2_000_000
"""Characters of a condition's SQL."""
_PARTS = {"MINUTE": "%M", "HOUR": "%H", "DAY": "%d", "WEEK": "%W", "MONTH": "%m", "YEAR": "%Y"}
_COMPARISONS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
Node = ConditionAND | ConditionOR | ConditionNOT | ConditionFieldEqualsValueExpression | ConditionValueExpression


def compiled(node: object) -> tuple[Condition, tuple[str, ...]]:
    """The condition and the fields that it asks for. Raises NotCompiled."""
    names, sources = _pinned(node, "eventName"), _pinned(node, "eventSource")
    if names and sources and len(names) * len(sources) > _MOST_PINS:
        sources = None
    writer = _Writer()
    if names == set() or sources == set():  # it asks for two names at once
        sql = "false"
        writer.write(node)
    else:
        sql = writer.conjunction(
            [
                one
                for one in _conjuncts(node)
                if not (_says(one, "eventName", names) or _says(one, "eventSource", sources))
            ]
        )
    if len(sql) > _LONGEST:
        raise NotCompiled("its condition is too long")
    condition = Condition(tuple(sorted(names or ())), tuple(sorted(sources or ())), sql, tuple(sorted(writer.reads)))
    return condition, tuple(dict.fromkeys(chain(_fields(node))))


def _fields(node: object) -> Iterator[str]:
    if isinstance(node, ConditionAND | ConditionOR | ConditionNOT):
        for one in node.args:
            yield from _fields(one)
    elif isinstance(node, ConditionFieldEqualsValueExpression):
        yield node.field
        if isinstance(node.value, SigmaFieldReference):
            yield node.value.field
    else:
        yield ""


def _conjuncts(node: object) -> Iterator[object]:
    """What must all hold."""
    if isinstance(node, ConditionAND):
        for one in node.args:
            yield from _conjuncts(one)
    else:
        yield node


def _pinned(node: object, name: str) -> set[str] | None:
    """The texts, in lower case, of which the field must be one; None where the condition does not say."""
    if isinstance(node, ConditionFieldEqualsValueExpression):
        value = node.value
        plain = (
            isinstance(value, SigmaString) and not value.contains_special() and value.contains_placeholder() is False
        )
        if node.field != name or not plain or not (text := _plain(value)).isascii() or "\0" in text:
            return None
        return {text.lower()}
    if isinstance(node, ConditionAND):
        sets = [found for one in node.args if (found := _pinned(one, name)) is not None]
        return set.intersection(*sets) if sets else None
    if isinstance(node, ConditionOR):
        each = [_pinned(one, name) for one in node.args]
        return None if None in each else set().union(*(found for found in each if found is not None))
    return None


def _plain(value: SigmaType) -> str:
    return "".join(one for one in value.s if isinstance(one, str)) if isinstance(value, SigmaString) else ""


def _says(node: object, name: str, pins: set[str] | None) -> bool:
    """Whether the pins say all that this condition asks."""
    if pins is None:
        return False
    ones = node.args if isinstance(node, ConditionOR) else [node]
    exact = all(
        isinstance(one, ConditionFieldEqualsValueExpression)
        and one.field == name
        and not isinstance(one.value, SigmaCasedString)
        for one in ones
    )
    return exact and pins <= (_pinned(node, name) or set())


@dataclass
class _Writer:
    """Writes conditions, and remembers which columns they read."""

    reads: set[str] = field(default_factory=set)

    def conjunction(self, nodes: Iterable[object]) -> str:
        conditions = [self.write(one) for one in nodes]
        return conditions[0] if len(conditions) == 1 else joined(conditions, "AND")

    def write(self, node: object) -> str:
        if isinstance(node, ConditionAND):
            return self.conjunction(node.args)
        if isinstance(node, ConditionOR):
            return self._disjunction(node.args)
        if isinstance(node, ConditionNOT):
            return f"NOT COALESCE({self.write(node.args[0])}, false)"
        if isinstance(node, ConditionFieldEqualsValueExpression):
            return self._field(node.field, [node.value])
        if isinstance(node, ConditionValueExpression):
            return self._anywhere(node.value)
        raise NotCompiled("its condition is empty")

    def _disjunction(self, nodes: Sequence[object]) -> str:
        """Values of the same field together."""
        conditions: list[str] = []
        values: dict[str, list[SigmaType]] = {}
        for one in nodes:
            if isinstance(one, ConditionFieldEqualsValueExpression):
                values.setdefault(one.field, []).append(one.value)
            else:
                conditions.append(self.write(one))
        conditions += [self._field(name, some) for name, some in values.items()]
        return conditions[0] if len(conditions) == 1 else joined(conditions, "OR")

    def _field(self, name: str, values: Sequence[SigmaType]) -> str:
        """That one of the values fits the field."""
        found = self._sql(name)
        texts: list[SigmaType] = []
        conditions: list[str] = []
        for value in _expanded(values):
            if isinstance(value, SigmaNull):
                conditions.append(f"NOT COALESCE({found.exists}, false)")
            elif isinstance(value, SigmaExists):
                conditions.append(found.exists if value.exists else f"NOT COALESCE({found.exists}, false)")
            elif isinstance(value, SigmaFieldReference):
                conditions.append(self._reference(found, value))
            elif (part := _part_of(value)) is not None:
                conditions.append(self._part(name, found, *part))
            else:
                texts.append(value)
        if texts:
            conditions.append(found.holds(any_of(texts)))
        return conditions[0] if len(conditions) == 1 else joined(conditions, "OR")

    def _sql(self, name: str) -> FieldSql:
        if len(name) > _LONGEST_NAME or not name.isprintable() or "*" in name or not all(name.split(".")):
            raise NotCompiled(f"no field can have the name {name[:100]!r}")
        found = field_sql(name)
        self.reads.add(found.reads)
        return found

    def _reference(self, found: FieldSql, value: SigmaFieldReference) -> str:
        other = self._sql(value.field)
        fits = (
            "contains({0}, {1})" if value.starts_with and value.ends_with
            else "starts_with({0}, {1})" if value.starts_with
            else "ends_with({0}, {1})" if value.ends_with
            else "{0} = {1}"
        )  # fmt: skip
        return found.holds(
            lambda one: other.holds(lambda two: fits.format(f"lower({one})", f"lower({two})"), "referred"), "referring"
        )

    def _part(self, name: str, found: FieldSql, part: SigmaTimestampPart, sign: str) -> str:
        if name == "eventTime":
            self.reads.add("eventtime")
        at = "eventtime" if name == "eventTime" else f"TRY_CAST({found.text} AS TIMESTAMP)"
        return f"CAST(strftime({at}, '{_PARTS[part.timestamp_part.name]}') AS INTEGER) {sign} {number(part)}"

    def _anywhere(self, value: SigmaType) -> str:
        """That one of the record's values, not of its keys, holds the text."""
        self.reads.add(RECORD)
        conditions = []
        for one in _expanded([value]):
            if not isinstance(one, SigmaString | SigmaNumber | SigmaRegularExpression):
                raise NotCompiled("only texts, numbers and expressions can be looked for in all values")
            within = SigmaString(str(one)) if isinstance(one, SigmaNumber) else one
            if isinstance(within, SigmaString):
                within = SpecialChars.WILDCARD_MULTI + within + SpecialChars.WILDCARD_MULTI
            conditions.append(f"len(list_filter(sigma_values(eventjson), lambda one: {one_of(within)('one')})) > 0")
        return conditions[0] if len(conditions) == 1 else joined(conditions, "OR")


def _part_of(value: SigmaType) -> tuple[SigmaTimestampPart, str] | None:
    if isinstance(value, SigmaTimestampPart):
        return value, "="
    if isinstance(value, SigmaCompareExpression) and isinstance(value.number, SigmaTimestampPart):
        return value.number, _COMPARISONS[value.op.name]
    return None


def _expanded(values: Iterable[SigmaType]) -> Iterator[SigmaType]:
    for value in values:
        if isinstance(value, SigmaExpansion):
            yield from _expanded(value.values)
        else:
            yield value
