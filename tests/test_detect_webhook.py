"""The webhook of new findings: what it is sent, what is tried again, and that nothing of a log is markup there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError

from crosstrail.detections.messages import message
from crosstrail.errors import ConfigError, DeliveryFailed
from crosstrail.settings.config import load_settings
from crosstrail.settings.detection_settings import WebhookSettings
from crosstrail.trust import CertificatePlace, TrustStore, use
from crosstrail.workspace.finding_webhook import post
from made_findings import RULE, finding, found_event
from ports import free_port
from webhook_server import WebhookServer

pytestmark = pytest.mark.anyio
HOSTILE = "*bold* `code` <!channel> & <https://evil.example|click> [a](https://evil.example)\n\x1b[31m@here"


def hook(url: str, **more: object) -> WebhookSettings:
    return WebhookSettings.model_validate({"url": url, "timeout": 5, **more})


async def test_what_fails_twice_is_sent_once_it_answers() -> None:
    with WebhookServer([503, 429, 200], {"Retry-After": "0"}) as server:
        await post({"n": 1}, hook(server.url))
    assert server.bodies == [{"n": 1}] * 3


@pytest.mark.parametrize(("status", "requests"), [(500, 2), (400, 1), (404, 1), (302, 1), (307, 1)])
async def test_what_is_not_taken_fails_and_says_no_address(status: int, requests: int) -> None:
    with (
        WebhookServer([200]) as elsewhere,
        WebhookServer([status], {"Location": elsewhere.url}) as server,
        pytest.raises(DeliveryFailed, match=str(status)) as failed,
    ):
        await post({"n": 1}, hook(server.url, attempts=2))
    assert "s3cret" not in failed.value.operators_text
    assert len(server.bodies) == requests
    assert elsewhere.bodies == []


async def test_a_webhook_that_is_down_or_slow_does_not_hold_up() -> None:
    with pytest.raises(DeliveryFailed, match="could not be reached, 2 times"):
        await post({"n": 1}, hook(f"http://127.0.0.1:{free_port()}/s3cret", attempts=2))
    with WebhookServer([0]) as server, pytest.raises(DeliveryFailed, match=r"within 0\.2 s"):
        await post({"n": 1}, hook(server.url, attempts=1, timeout=0.2))


async def test_certificates_are_those_of_every_connection() -> None:
    use(TrustStore((CertificatePlace("/nowhere/ca.pem", "SSL_CERT_FILE"),)))
    try:
        with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
            await post({}, hook("https://127.0.0.1/"))
    finally:
        use(TrustStore())


def test_slack_gets_no_markup_of_a_log() -> None:
    hostile = finding(
        rule=replace(RULE, title=f"Rule {HOSTILE}", link="https://x.example|<!here>"),
        principal=HOSTILE,
        group={HOSTILE: HOSTILE},
        events=(found_event(id=HOSTILE),),
    )
    sent = message([hostile], "slack", "1")
    for text in (str(sent["text"]), *(block["text"]["text"] for block in sent["blocks"])):  # type: ignore[attr-defined]
        assert not set("<>\x1b") & set(text)
        code, plain = text.split("`")[1::2], "".join(text.split("`")[::2]).replace("*MEDIUM*", "")
        assert not set("*_~[]|") & set(plain)
        assert all("\n" not in part for part in code)
    assert "&lt;!channel&gt; &amp;" in str(sent["text"])


def test_slack_names_level_rule_author_and_link() -> None:
    text = str(message([finding()], "slack", "1")["text"])
    assert text.startswith("crosstrail: 1 new finding: 1 medium\n\n*MEDIUM* CloudTrail Important Change\n")
    assert "`user/deploy-bot` in `aws 111111111111`: 1 event, 2026-11-19T12:00:00Z" in text
    assert f"rule by vitaliy0x1; DRL-1.1; <{RULE.link}|rule>" in text


def test_the_largest_finding_fits_slack() -> None:
    long = "&" * 5_000
    rule = replace(
        RULE, title=long, author=long, license=long, link=f"https://x.example/{'a' * 450}", attack=(long,) * 9
    )
    large = finding(rule=rule, principal=long, group={f"{n}{long}": long for n in range(9)},
                    events=tuple(found_event(id=f"{n}{long}") for n in range(9)))  # fmt: skip
    assert all(len(block["text"]["text"]) <= 3_000 for block in message([large] * 20, "slack", "1")["blocks"])  # type: ignore[attr-defined]


def test_json_gives_all_of_a_finding() -> None:
    sent = json.loads(json.dumps(message([finding(), finding(principal="root")], "json", "1.2")))
    assert (sent["source"], sent["version"], sent["summary"]) == ("crosstrail", "1.2", "2 new findings: 2 medium")
    assert sent["findings"][0]["rule"]["license"] == "DRL-1.1"
    assert sent["findings"][0]["events"][0]["name"] == "StopLogging"


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/x", "ftp://x", "hooks.example.com", "https://", "http://[::1"]
)
def test_an_address_that_is_none_or_open_to_listeners_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="https://"):
        hook(url)


def test_the_address_is_a_secret() -> None:
    settings = load_settings(environ={"CROSSTRAIL_DETECT_WEBHOOK": "https://hooks.example.com/s3cret"})
    assert isinstance(settings.detect.webhook.url, SecretStr)
    assert "s3cret" not in repr(settings)
    with pytest.raises(ConfigError) as failed:
        load_settings(environ={"CROSSTRAIL_DETECT_WEBHOOK": "http://hooks.example.com/s3cret"})
    assert "s3cret" not in failed.value.operators_text
