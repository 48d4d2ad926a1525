"""One call: what it is given, and the guard around it.

The guard decides how a call's end looks to the model. Arguments are checked here: null means the default, an unknown
name is refused with the names there are. Our errors become tool errors in their own words; anything else becomes a
sentence with a number to find in the log. It never lets an exception's text, an argument's long value or the name of a
file of ours out, and never logs a value: mcp would send a crash's name or log a failure's text.

Facts about an answer with rows go into `_meta`, not into structured content: several clients show a model nothing else
when there is structured content, and would lose the rows (`serve.structured` is for programs: structured.py). Answers whose facts say everything carry them as structured
content as well.
"""

from __future__ import annotations

import inspect
import logging
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ResourceLink, TextContent, ToolAnnotations
from pydantic import PrivateAttr, ValidationError

from crosstrail.answers.render import HARD_LIMIT_BYTES, Answer, Link, clean, shorten, size
from crosstrail.answers.structured import ANNOUNCED_SCHEMA, structured
from crosstrail.call_context import current_call
from crosstrail.errors import CrosstrailError, InvalidRequest
from crosstrail.json_values import Json, table
from crosstrail.server.apps import Showing, page_of, showing
from crosstrail.workspace.scoped import ScopedWorkspace

_log = logging.getLogger("crosstrail.server")
FACTS = "crosstrail/facts"
_ERROR_BYTES = 2_000
_ECHO_BYTES = 60


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool may use: the workspace, and a way to tell how far it is."""

    workspace: ScopedWorkspace
    _context: Context[ScopedWorkspace, Any]

    @property
    def for_page(self) -> bool:
        """Whether the client may show a page beside the answer."""
        return showing(self._context.client_capabilities) is not Showing.NO

    async def step(self, done: int, total: int) -> None:
        """Progress in targets answered."""
        await self._context.report_progress(done, total, f"{done} of {total} answered")

    async def waited(self, seconds: float, words: str) -> None:
        """Progress in seconds waited."""
        await self._context.report_progress(round(seconds, 1), None, words)


Body = Callable[..., Awaitable[Answer]]
"""A tool: its first parameter is `call`; the others are what the model may send."""


class GuardedTool(Tool):
    """A tool whose run never raises (but for protocol errors and cancellation) and returns our text alone."""

    _structured: bool = PrivateAttr(False)

    @classmethod
    def of(
        cls,
        body: Body,
        annotations: ToolAnnotations,
        *,
        name: str | None = None,
        structured: bool = False,
        page: str = "",
    ) -> GuardedTool:
        """The tool of a body, named like it or by `name`; its docstring is the description. `structured`: its rows are
        structured content too. `page`: the address of what shows its answer."""
        tool = cast(
            GuardedTool,
            cls.from_function(
                body,
                name=name,
                title=annotations.title,
                description=inspect.cleandoc(body.__doc__ or ""),
                context_kwarg="call",
                annotations=annotations.model_copy(update={"title": None}),  # which would say it twice
                structured_output=False,
                meta={"ui": {"resourceUri": page}} if page else None,
            ),
        )
        tool.parameters = _plain(tool.parameters)
        tool._structured = structured
        return tool

    @cached_property
    def output_schema(self) -> dict[str, object] | None:
        return ANNOUNCED_SCHEMA if self._structured else None

    async def run(
        self, arguments: dict[str, object], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        began = time.monotonic()
        try:
            given = {name: value for name, value in arguments.items() if value is not None}
            notes = self._clamped(given)
            values = self._accepted(given)
            answer: Answer = await self.fn(call=self._call(context), **values)
            result = self._finished(answer, notes)
            if answer.page is not None:
                result = _with_page(result, answer.page, showing(context.client_capabilities))
        except MCPError:
            raise
        except CrosstrailError as error:
            current_call().error = type(error).__name__
            if error.where:
                _log.warning("%s: %s (%s)", self.name, error, error.where)
            result = _failure(" ".join([error.text, *getattr(error, "__notes__", ())]))
        except Exception as error:  # noqa: BLE001 - the last place: whatever comes must not reach the model as it is
            current_call().error = "crash"
            result = _failure(_crash(self.name, error))
        _log.info("%s %s in %.3f s", self.name, "failed" if result.is_error else "done", time.monotonic() - began)
        return result

    def _call(self, context: Context[Any, Any]) -> object:
        """What the body is given first."""
        return Call(context.request_context.lifespan_context, context)

    def _finished(self, answer: Answer, notes: Sequence[str]) -> CallToolResult:
        """The answer as the client gets it, with what has to be said about the arguments."""
        text = "\n".join([answer.text, *(f"Note: {note}" for note in notes)])
        return _result(replace(answer, text=text), in_rows=self._structured)

    def _clamped(self, given: dict[str, object]) -> list[str]:
        """Put numbers beyond a limit at the limit, as the AWS Labs server does, and say so.

        Not where something is changed: what was made in place of what was asked for is there to stay. Nor where there is no
        limit at one end: the other one is no number of the same kind then, but a default.
        """
        if self.annotations and not self.annotations.read_only_hint:
            return []
        notes = []
        for name, schema in self.parameters.get("properties", {}).items():
            number = _whole(given.get(name)) if {"minimum", "maximum"} <= schema.keys() else None
            if number is None:
                continue
            least, most = schema["minimum"], schema["maximum"]
            given[name] = min(max(number, least), most)
            if given[name] != number:
                sent = clean(str(number), _ECHO_BYTES)
                notes.append(f"{name} is {least} to {most}; {given[name]} was used in place of {sent}.")
        return notes

    def _accepted(self, arguments: dict[str, object]) -> dict[str, object]:
        """The arguments as the body takes them. Raises InvalidRequest."""
        known = list(self.parameters.get("properties", {}))
        if unknown := [name for name in arguments if name not in known]:
            names = ", ".join(clean(name, _ECHO_BYTES) for name in unknown[:5])
            raise InvalidRequest(f"{self.name} has no argument {names}", hint=f"It accepts: {', '.join(known)}.")
        try:
            return self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise InvalidRequest(_explained(error)) from None


def _whole(value: object) -> int | None:
    """The whole number that was sent, as a number or as text; None for anything else, which validation refuses."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\s*[+-]?[0-9]{1,1000}\s*", value, re.ASCII) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _plain(schema: Json) -> dict[str, object]:
    """The schema without pydantic's titles, which say the name again, and without references."""
    shared = table(schema.get("$defs"))
    properties = {name: _inlined(table(inner), shared) for name, inner in table(schema.get("properties")).items()}
    plain: dict[str, object] = {"type": "object", "properties": properties}
    return {**plain, "required": schema["required"]} if schema.get("required") else plain


def _inlined(schema: Json, shared: Json) -> dict[str, object]:
    """One property; where it refers to a shared object, that object itself."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        schema = {**_plain({**table(shared[name]), "$defs": shared}), **schema}
    plain = {word: value for word, value in schema.items() if word not in ("title", "$ref")}
    if each := table(plain.get("items")):
        plain["items"] = _inlined(each, shared)
    return plain


def _result(answer: Answer, *, in_rows: bool = False) -> CallToolResult:
    text = answer.text
    if size(text) > HARD_LIMIT_BYTES:  # the parts keep their own budgets; this is the last rail
        text = shorten(text, HARD_LIMIT_BYTES - 100) + "\nThis answer was too long and is cut: ask for less."
    facts = dict(answer.facts)
    return CallToolResult(
        content=[TextContent(type="text", text=text), *map(_linked, answer.links)],
        structured_content=structured(answer.tables, facts)
        if in_rows
        else facts
        if answer.complete and facts
        else None,
        is_error=answer.error,
        _meta={FACTS: facts} if facts else None,
    )


def _with_page(result: CallToolResult, page: Mapping[str, object], shown: Showing) -> CallToolResult:
    content, meta = page_of(page, shown)
    return result.model_copy(update={"structured_content": content, "meta": {**(result.meta or {}), **meta}})


def _linked(link: Link) -> ResourceLink:
    return ResourceLink(
        type="resource_link", uri=link.uri, name=link.name, description=link.description, mime_type="text/plain"
    )


def _failure(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=clean(text, _ERROR_BYTES))], is_error=True)


def _explained(error: ValidationError) -> str:
    """Each wrong argument, what it should be, and a short echo of what was sent."""
    said = []
    for one in error.errors(include_url=False, include_context=False)[:5]:
        name = ".".join(str(part) for part in one["loc"])
        if one["type"] == "missing":
            said.append(f"{name} is required")
            continue
        message = one["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
        said.append(f"{name} {message}, not {clean(repr(one['input']), _ECHO_BYTES)}")
    return "; ".join(said)


def _crash(name: str, error: Exception) -> str:
    """Log where it broke, by file and line alone: an exception's text may hold the value of an event."""
    number = secrets.token_hex(4)
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-12:]))
    _log.error("%s broke, number %s: %s at %s", name, number, type(error).__name__, places)
    return f"{name} broke on something unexpected, number {number}. The server's log has the place under that number."
