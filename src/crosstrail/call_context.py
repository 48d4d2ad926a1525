"""On whose behalf the present call runs, and what it asked of clouds.

Set once a call, by whoever admits it; read where a role is assumed and where a request leaves. It decides nothing, and
holds no credentials, no argument and no answer. Work that a call starts inherits it, because tasks and threads copy their
starter's context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from crosstrail.errors import CrosstrailError, Throttled
from crosstrail.measures import measures

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_MAX_KEPT = 200


@dataclass(slots=True)
class Upstream:
    """One request to a cloud. `request_id` is the cloud's, `error` its code; both empty until they are known."""

    action: str
    account: str
    region: str
    request_id: str = ""
    error: str = ""


@dataclass(slots=True)
class CallContext:
    """Who asked, and the requests made for them: all are counted, the first 200 kept.

    `who` is a name to show, which two may share; `key` tells them apart. `error`: the kind of error that the call ended with,
    empty where it did not. `wrapped`: id of the account whose process of a wrapped server the call was handed to.
    """

    who: str = ""
    key: str = ""
    error: str = ""
    wrapped: str = ""
    count: int = 0
    kept: list[Upstream] = field(default_factory=list)

    def note(self, request: Upstream) -> None:
        self.count += 1
        if len(self.kept) < _MAX_KEPT:
            self.kept.append(request)


_current: ContextVar[CallContext | None] = ContextVar("crosstrail_caller", default=None)


def current_call() -> CallContext:
    """The present caller; one that nobody reads where no call is admitted, as on the command line."""
    return _current.get() or CallContext()


@contextmanager
def acting_for(who: str, key: str = "") -> Iterator[CallContext]:
    """What runs inside runs on behalf of `who`."""
    made = CallContext(who, key)
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)


@contextmanager
def upstream(cloud: str, action: str, account: str, region: str) -> Iterator[Upstream]:
    """One request, counted for the present caller and, where OpenTelemetry's SDK is set up, a span of its own. `action`: one
    of the cloud's own."""
    from opentelemetry.trace import SpanKind, StatusCode

    request = Upstream(action, account, region)
    current_call().note(request)
    attributes = {"cloud.account.id": account, "cloud.region": region}
    with _tracer().start_as_current_span(
        action, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        outcome = "cancelled"
        try:
            yield request
            outcome = "done"
        except CrosstrailError as error:  # no text of it: a span is read by others than the caller
            request.request_id = getattr(error, "request_id", "")
            request.error = getattr(error, "code", "") or type(error).__name__
            outcome = "throttled" if isinstance(error, Throttled) else "failed"
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", request.error)
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            span.set_attribute("cloud.request_id", request.request_id)
            measures().request(cloud, action, outcome)


@cache
def _tracer() -> Tracer:
    """Ours, of whichever SDK is set up later. Only a request to a cloud needs OpenTelemetry."""
    from opentelemetry.trace import get_tracer

    return get_tracer("crosstrail")
