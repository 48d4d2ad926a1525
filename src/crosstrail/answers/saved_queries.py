"""Saved queries: files of a folder of the operator's, each one SELECT with a description and parameters.

Decides which files are saved queries, how their head is read and how values take the place of parameters: as literals, so that
a value is never read as SQL. How many there are and how long each may be is bounded. It runs nothing.

    -- Denied calls of one account
    -- :account                      id or alias
    -- :since = '2026-11-01'         from when
    -- :rows = 20                    how many
    SELECT ... WHERE account = :account AND eventtime > :since LIMIT :rows
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crosstrail.engines.statement import MAX_CHARACTERS
from crosstrail.errors import InvalidRequest
from crosstrail.text import clean

MAX_QUERIES = 50
MAX_PARAMETERS = 10
_MAX_VALUE = 1_000
_MAX_DESCRIPTION = 200
_SUFFIX = ".sql"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}", re.ASCII)
_DECLARED = re.compile(
    r"""--\s*:(?P<name>[A-Za-z_]\w{0,39})
        (?:\s*=\s*(?:'(?P<text>(?:[^']|'')*)'|(?P<number>[+-]?\d+(?:\.\d+)?)(?!\S))|(?P<kind>\s+number\b))?
        \s*(?P<description>.*)""",
    re.VERBOSE | re.ASCII,
)
_TOKEN = re.compile(
    r"""--[^\r\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|"(?:[^"]|"")*"
      |(?<![\w:'")\]]):(?P<name>[A-Za-z_]\w{0,39})
      |.""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`default`: as people write it; None where a value must be given."""

    name: str
    kind: Literal["text", "number"] = "text"
    default: str | None = None
    description: str = ""

    @property
    def shown(self) -> str:
        return self.name if self.default is None else f"{self.name}={self.default}"


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """`sql`: the statement with its parameters in it. `parameters`: in the order in which the head or the statement has them."""

    name: str
    description: str
    sql: str
    parameters: tuple[Parameter, ...] = ()

    def filled(self, values: Mapping[str, str]) -> str:
        """The statement with these values. Raises InvalidRequest."""
        return filled(self.sql, self.parameters, values)


@dataclass(frozen=True, slots=True)
class SavedQueries:
    """Those of a folder, by name; `left_out` says why other files of it are none."""

    queries: tuple[SavedQuery, ...] = ()
    left_out: tuple[str, ...] = ()

    def named(self, name: str) -> SavedQuery:
        """Raises InvalidRequest."""
        for one in self.queries:
            if one.name == name:
                return one
        names = [one.name for one in self.queries]
        near = difflib.get_close_matches(name[:60], names, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`crosstrail query --list-saved` lists those that there are."
        raise InvalidRequest(f"there is no saved query {clean(name, 60)}", hint=hint)


def saved_queries(folder: str) -> SavedQueries:
    """In the order of their names; none where the folder is not there."""
    if not folder or not Path(folder).is_dir():
        return SavedQueries()
    found: list[SavedQuery] = []
    left_out: list[str] = []
    for path in sorted(Path(folder).glob(f"*{_SUFFIX}")):
        if not _NAME.fullmatch(path.stem):
            left_out.append(f"{clean(path.name, 60)}: a name has letters, digits, - and _, at most 50.")
        elif len(found) == MAX_QUERIES:
            left_out.append(f"{path.name}: there are {MAX_QUERIES} already, which is the most.")
        else:
            try:
                found.append(_read(path))
            except InvalidRequest as error:
                left_out.append(f"{path.name}: {error.text}")
    return SavedQueries(tuple(found), tuple(left_out))


def parameters_of(sql: str) -> tuple[Parameter, ...]:
    """Those that its head declares, then those that stand in it alone."""
    found: dict[str, Parameter] = {}
    for line in _head(sql):
        if declared := _DECLARED.fullmatch(line):
            found[declared["name"]] = _parameter(declared)
    for token in _TOKEN.finditer(sql):
        if name := token["name"]:
            found.setdefault(name, Parameter(name))
    return tuple(found.values())


def filled(sql: str, parameters: Sequence[Parameter], values: Mapping[str, str]) -> str:
    """The statement with a literal in the place of each parameter. Raises InvalidRequest for one without a value, a value that is
    none of its kind, and a value of no parameter."""
    known = {one.name: one for one in parameters}
    for name in values:
        if name not in known:
            names = ", ".join(known) or "none"
            raise InvalidRequest(f"there is no parameter {clean(name, 60)}", hint=f"Parameters here: {names}.")
    literals = {name: _literal(one, values.get(name, one.default)) for name, one in known.items()}
    return _TOKEN.sub(lambda token: literals[token["name"]] if token["name"] else token.group(), sql)


def _read(path: Path) -> SavedQuery:
    try:
        with path.open("rb") as file:
            sql = file.read(MAX_CHARACTERS * 4 + 1).decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidRequest("it is no UTF-8 text") from None
    if len(sql) > MAX_CHARACTERS:
        raise InvalidRequest(f"it is longer than {MAX_CHARACTERS} characters, which is the most")
    parameters = parameters_of(sql)
    if len(parameters) > MAX_PARAMETERS:
        raise InvalidRequest(f"it has more than {MAX_PARAMETERS} parameters, which is the most")
    described = (line.lstrip("- \t") for line in _head(sql) if not _DECLARED.fullmatch(line))
    description = next((line for line in described if line), "")
    return SavedQuery(path.stem, clean(description, _MAX_DESCRIPTION), sql.strip(), parameters)


def _head(sql: str) -> list[str]:
    """The comment lines before the statement."""
    found = []
    for line in sql.splitlines():
        if line.strip() and not line.lstrip().startswith("--"):
            break
        found += [line.strip()] if line.strip() else []
    return found


def _parameter(declared: re.Match[str]) -> Parameter:
    number, text = declared["number"], declared["text"]
    default = number if number is not None else None if text is None else text.replace("''", "'")
    return Parameter(
        declared["name"],
        "number" if number is not None or declared["kind"] else "text",
        default,
        clean(declared["description"], _MAX_DESCRIPTION),
    )


def _literal(parameter: Parameter, value: str | None) -> str:
    name = parameter.name
    if value is None:
        raise InvalidRequest(f"the parameter {name} has no value", hint=f"Give it one: --set {name}=VALUE.")
    if len(value) > _MAX_VALUE:
        raise InvalidRequest(f"the value of {name} is longer than {_MAX_VALUE} characters")
    if parameter.kind == "number":
        if not _NUMBER.fullmatch(value.strip()):
            raise InvalidRequest(f"{name} takes a number", hint="Write it in digits, such as 20.")
        return value.strip()
    return "'" + value.replace("'", "''") + "'"
