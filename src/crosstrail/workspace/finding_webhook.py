"""New findings posted to a webhook, tried again where that can help.

Decides what is worth another try (no connection, no answer in time, 429, 5xx) and how long to wait for it. What was not taken with a
2xx was not sent: who calls keeps it for the next run. No redirect is followed, no more of an answer is read than its status needs,
and the address, which is a secret, is in no error and no log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import anyio
import httpx2
import orjson
import tenacity

from crosstrail import __version__
from crosstrail.bounded_http import client
from crosstrail.errors import DeliveryFailed
from crosstrail.settings.detection_settings import WebhookSettings
from crosstrail.trust import refusal_hint

logging.getLogger("httpx2").setLevel(logging.WARNING)  # below that it logs addresses
_MAX_ANSWER = 64_000
_MOST_WAIT = 30.0


class _TryAgain(Exception):
    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait
        """Seconds that the server asked for."""


async def post(body: Mapping[str, object], settings: WebhookSettings) -> None:
    """Raises DeliveryFailed where it was not taken, after all tries."""
    content = orjson.dumps(body)
    tries = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(settings.attempts),
        wait=_wait,
        retry=tenacity.retry_if_exception_type(_TryAgain),
        sleep=anyio.sleep,
        reraise=True,
    )
    try:
        context = await anyio.to_thread.run_sync(client_of, settings)
        async with context as http:
            await tries(_posted, http, content, settings)
    except _TryAgain as error:
        raise _refusal(f"{error}, {settings.attempts} times") from None


def client_of(settings: WebhookSettings) -> httpx2.AsyncClient:
    """Certificates are read from files: call it in a thread."""
    headers = {"Content-Type": "application/json", "User-Agent": f"crosstrail/{__version__}"}
    return client(seconds=settings.timeout, max_bytes=_MAX_ANSWER, headers=headers)


async def _posted(http: httpx2.AsyncClient, content: bytes, settings: WebhookSettings) -> None:
    """One try. Raises _TryAgain, DeliveryFailed."""
    try:
        with anyio.fail_after(settings.timeout):
            async with http.stream("POST", settings.url.get_secret_value(), content=content) as answer:
                status, wanted = answer.status_code, answer.headers.get("retry-after", "")
    except (TimeoutError, httpx2.TimeoutException):
        raise _TryAgain(f"it did not answer within {settings.timeout:g} s") from None
    except httpx2.HTTPError as error:
        if hint := refusal_hint(error):
            raise _refusal("its certificate is not trusted", hint) from None
        raise _TryAgain("it could not be reached") from None
    if 200 <= status < 300:
        return
    if status == 429 or status >= 500:
        raise _TryAgain(f"it answered {status}", min(float(wanted), _MOST_WAIT) if wanted.isdecimal() else 0.0)
    if 300 <= status < 400:
        raise _refusal(f"it answered {status}, a redirect, which is not followed")
    raise _refusal(f"it answered {status}")


def _refusal(
    reason: str, hint: str = "Check detect.webhook.url. What was not sent is sent by the next run."
) -> DeliveryFailed:
    return DeliveryFailed(f"the webhook did not take the findings: {reason}", hint=hint)


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: as the server says, else 0.5, 1, 2, ... with some chance in it."""
    asked = state.outcome.exception() if state.outcome else None
    if isinstance(asked, _TryAgain) and asked.wait:
        return asked.wait
    return tenacity.wait_random_exponential(multiplier=0.5, max=_MOST_WAIT)(state)
