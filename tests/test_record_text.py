"""What neither orjson nor UTF-8 can hold: integers beyond 64 bits, halves of surrogate pairs, Latin-1, nesting without end."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from audit_logs import ids, lookup_item, record, rows, write
from conftest import CommandLine
from crosstrail.clouds.record_text import parsed_record
from crosstrail.lake.collector import collect
from crosstrail.lake.documents import documents
from crosstrail.models import Account, EventQuery, Target
from listed_accounts import moment
from live_aws import PROD, LiveAws

_DIGITS = "123456789012345678901234567890"
_HALF = "\\ud800"


@pytest.mark.anyio
async def test_a_live_lookup_keeps_every_digit_of_an_integer(aws: LiveAws, prod: Account) -> None:
    log = aws.world.accounts[PROD]
    log.log("CreateUser", moment(timedelta(hours=1)), record={"requestParameters": {"size": "BIG", "fits": 2**63}})
    (whole,) = log.events["us-east-1"]
    long = whole.encoded.replace(rb"\"BIG\"", _DIGITS.encode())
    assert long != whole.encoded
    log.events["us-east-1"] = [type(whole)(whole.time, whole.id, whole.category, whole.attributes, long)]
    page = await aws.trail().lookup_events(Target(prod), EventQuery(with_record=True))
    assert page.events[0].record
    assert page.events[0].record["requestParameters"] == {"size": _DIGITS, "fits": 2**63}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            f'{{"a": [{_DIGITS}, -{_DIGITS}, 18446744073709551615, 1.5]}}',
            {"a": [_DIGITS, f"-{_DIGITS}", 2**64 - 1, 1.5]},
        ),
        (f'{{"a": "x{_HALF}y \\ud83d\\ude00 \\\\ud800"}}', {"a": "x\ufffdy \U0001f600 \\ud800"}),
        ("[" * 200 + "]" * 200, None),
    ],
)
def test_a_record_becomes_what_answers_can_write(text: str, value: object) -> None:
    found = parsed_record(text)
    assert value is None or found == value


@pytest.mark.parametrize("text", ["[" * 300 + "]" * 300, '{"a":' * 1000 + "1" + "}" * 1000, "{", "[NaN]", "\ud800"])
def test_what_no_answer_can_write_is_no_record(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever library
        parsed_record(text)


@given(text=st.text(alphabet='a\\ud8Dc01f"{}[]:, \ud800', max_size=60))
def test_a_document_is_as_long_as_it_was_written(text: str) -> None:
    raw = b'{"k":"' + text.encode("utf-8", "surrogatepass") + b'"}'
    for found in documents([raw], lambda *_: None):
        assert len(found.raw) == len(found.written)
        if found.raw.isascii():
            assert found.written in raw


@pytest.mark.parametrize("form", ["file", "lines", "lookup items", "a big list"])
def test_halves_of_surrogate_pairs_stay_as_written(tmp_path: Path, form: str) -> None:
    """In whatever a record lies, eventjson is its text, byte for byte, and every column can show it."""
    changes = {"userAgent": "HALF-1", "requestParameters": {"HALF-2": "HALF-3"}}
    texts = [json.dumps(record(number, **changes)).replace("HALF", _HALF) for number in range(3)]
    if form == "lines":
        content = "\n".join(texts)
    elif form == "lookup items":
        items = [lookup_item(number) | {"CloudTrailEvent": text} for number, text in enumerate(texts)]
        content = json.dumps({"Events": items})
    else:
        filler = {"pad": "x" * (9_000_000 if form == "a big list" else 1)}
        content = f'{{"Records": [{", ".join(texts)}], "more": {json.dumps(filler)}}}'
    write(tmp_path / "logs/a.json.gz", content)
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert report.new == 3
    for row, text in zip(rows(tmp_path / "lake"), texts, strict=True):
        assert row["eventjson"] == text
        assert row["eventjsonchecksum"] == hashlib.sha256(text.encode()).hexdigest()
        assert row["useragent"] == "\ufffd-1"
        assert row["requestparameters"] == [("\ufffd-2", "\ufffd-3")]
    assert collect([tmp_path / "logs"], tmp_path / "lake").conflicting == 0


def test_every_answer_can_show_a_half_and_latin_1(tmp_path: Path, crosstrail: CommandLine) -> None:
    half = json.dumps(record(1, userAgent="HALF", errorMessage="HALF")).replace("HALF", _HALF).encode()
    latin = json.dumps(record(2, userAgent="LATIN")).encode().replace(b"LATIN", b"caf\xe9")
    write(tmp_path / "logs/half.json", half)
    write(tmp_path / "logs/latin.json", latin)
    lake = tmp_path / "lake"
    done = crosstrail("collect", tmp_path / "logs", "--lake", lake)
    assert "latin.json" in done.stderr
    assert "not UTF-8" in done.stderr
    assert "half.json" not in done.stderr
    assert len(ids(lake)) == 2
    for arguments in (("table",), ("json",), ("csv",)):
        done = crosstrail("query", "SELECT * FROM events", "--format", *arguments, "--lake", lake)
        assert done.returncode == 0, done.stderr
    texts = [row["eventjson"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert sorted(texts) == sorted([half.decode(), latin.decode("utf-8", "replace")])
    done = crosstrail("lookup", "--json", "--lake", lake)
    assert done.returncode == 0, done.stderr
    agents = {json.loads(line)["event"]["userAgent"] for line in done.stdout.splitlines()}
    assert agents == {"\ufffd", "caf\ufffd"}
    assert crosstrail("lookup", "--lake", lake).returncode == 0


@pytest.mark.anyio
async def test_mcp_answers_show_a_half(tmp_path: Path) -> None:
    from lake_workspace import client_of, settings, text_of

    write(tmp_path / "logs/half.json", json.dumps(record(1, userAgent="HALF")).replace("HALF", _HALF))
    collect([tmp_path / "logs"], tmp_path / "lake")
    async with client_of(settings(tmp_path / "lake")) as client:
        assert isinstance(client, Client)
        for tool, arguments in (
            ("lake_query", {"sql": "SELECT eventjson, useragent FROM events"}),
            ("lake_query", {"sql": "SELECT json_extract_scalar(eventjson, '$.eventName') FROM events"}),
        ):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, text_of(result)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("json_extract_scalar(eventjson, '$.userAgent')", "a\ufffdz \\ud800 \U0001f600\ufffd"),
        ("json_extract_scalar(eventjson, '$.eventName')", "GetObject"),
        ("json_extract_scalar(json_extract(eventjson, '$.requestParameters'), '$.n')", "1"),
        ("json_extract_scalar(json_parse(eventjson), '$.requestParameters.n')", "1"),
        ("json_size(eventjson, '$.requestParameters')", "1"),
        ("is_json_scalar(eventjson)", "false"),
    ],
)
def test_halves_of_surrogate_pairs_fail_no_function_of_json(
    tmp_path: Path, crosstrail: CommandLine, expression: str, expected: str
) -> None:
    """Whoever is in the log could end everybody's statement with one of them."""
    text = json.dumps(record(1, eventName="GetObject", userAgent="AGENT", requestParameters={"n": 1}))
    write(tmp_path / "logs/a.json", text.replace("AGENT", r"a\ud800z \\ud800 \ud83d\ude00\udc00"))
    assert collect([tmp_path / "logs"], tmp_path / "lake").new == 1
    done = crosstrail("query", f"SELECT {expression} FROM events", "--lake", tmp_path / "lake")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == expected
