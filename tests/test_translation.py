"""The command line in Chinese: every message of the source has a translation, and what is printed is found in the catalog."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

import message_words
import messages
import preloaded
from crosstrail.cli.catalog import MessageCatalog, catalog_from, catalog_of, read_compiled
from crosstrail.cli.cells import wrapped
from crosstrail.cli.half_translated import half_translated
from crosstrail.settings.language_settings import language_of
from terminal import on_a_terminal

CHINESE = {"LANGUAGE": "zh_CN"}
DOCS = Path(__file__).parents[1] / "docs"
_HELP = """
import click
from crosstrail.cli import crosstrail, run_command
from crosstrail.cli.translated_help import translate_help
from crosstrail.cli.translation import speak

def walk(command, context):
    print("\\x1e" + context.command_path)
    print(command.get_help(context))
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name)
        walk(inner, click.Context(inner, info_name=name, parent=context, **inner.context_settings))

speak("zh_CN")
translate_help()
walk(crosstrail, click.Context(crosstrail, info_name="crosstrail", terminal_width=80))
"""
"""Prints the help of every command, in one process."""


def _value(message: str, name: str, number: int) -> str:
    """That of a place which follows another one without a word between begins as a clause does."""
    if re.fullmatch(message_words.PLURAL_NAME, name):
        return "s"
    if re.search(rf"\}}\{{{name}\}}", message):
        return f" ({number})"
    return f"x{number}y" if re.search(rf"\{{{name}\}}\{{", message) else str(number)


def _filled(message: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::n)?\}", lambda found: values[found[1]], message).replace("{{", "{").replace("}}", "}")


def _plain(text: str) -> str:
    """Without what tells a message from the same in the middle of a line."""
    return text.replace("（", " (").replace("）", ")").rstrip("。.：:")


@pytest.fixture(scope="module")
def chinese() -> MessageCatalog:
    return catalog_of("zh_CN")


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """msgid -> msgstr of the catalog that translators write."""
    return {str(one.id): str(one.string) for one in messages.catalog() if one.id}


def test_every_message_of_the_source_has_a_translation(written: dict[str, str]) -> None:
    wanted = messages.messages()
    missing = sorted(msgid for msgid in wanted if not written.get(msgid))
    assert not missing, "run `make messages`, and translate these in src/crosstrail/locale"
    assert not sorted(written.keys() - wanted.keys()), "run `make messages`: the source has these no longer"


def test_translations_keep_the_values_of_their_messages(written: dict[str, str]) -> None:
    """A suffix of the English plural is the one thing that may be left out."""
    wrong = []
    for msgid, text in written.items():
        asked, given = messages.placeholders(msgid), messages.placeholders(text)
        if text and (given - asked or not all(re.fullmatch(message_words.PLURAL_NAME, name) for name in asked - given)):
            wrong.append((msgid, text))
    assert not wrong


def test_compiled_catalog_is_made_of_the_written_one() -> None:
    assert messages.MO.read_bytes() == messages.compiled(messages.catalog())


def test_every_message_is_found_again_in_a_line(written: dict[str, str]) -> None:
    """With values that are no words, each message gives its own translation, whatever other messages there are."""
    chinese = catalog_from(written)
    wrong = []
    for msgid, text in written.items():
        if not text or msgid.isupper():
            continue
        values = {name: _value(msgid, name, number) for number, name in enumerate(messages.placeholders(msgid), 7000)}
        line, expected = _filled(msgid, values), _filled(text, values)
        found = chinese.line(line)
        if _plain(found) != _plain(expected):
            wrong.append((line, expected, found))
    assert not wrong


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, ""),
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh"}, "zh_CN"),
        ({"LANG": "zh_SG.GBK@pinyin"}, "zh_CN"),
        ({"LANG": "zh-Hans-CN"}, "zh_CN"),
        ({"LANG": "zh_TW.UTF-8"}, ""),
        ({"LANG": "de_DE.UTF-8"}, ""),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, ""),
        ({"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en"}, ""),
        ({"LANGUAGE": "de:zh_Hans:en"}, "zh_CN"),
        ({"LANGUAGE": "en_GB:zh_CN"}, ""),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "", "LC_ALL": ""}, "zh_CN"),
    ],
)
def test_language_is_the_first_that_the_environment_asks_for(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language


@pytest.mark.parametrize(
    "data", [None, b"", b"\xde\x12\x04\x95", b"no catalog at all", b"\xde\x12\x04\x95" + b"\xff" * 40]
)
def test_catalog_that_is_absent_or_broken_translates_nothing(tmp_path: Path, data: bytes | None) -> None:
    place = tmp_path / "zh_CN" / "LC_MESSAGES" / "crosstrail.mo"
    place.parent.mkdir(parents=True)
    if data is not None:
        place.write_bytes(data)
    assert catalog_of("zh_CN", tmp_path).line("Check the name.") == "Check the name."


def test_catalog_that_is_cut_off_anywhere_never_raises(tmp_path: Path) -> None:
    whole = messages.MO.read_bytes()
    place = tmp_path / "zh_CN" / "LC_MESSAGES" / "crosstrail.mo"
    place.parent.mkdir(parents=True)
    for length in range(0, len(whole), len(whole) // 25):
        place.write_bytes(whole[:length])
        catalog_of("zh_CN", tmp_path).line("Check the name.")


def test_values_of_one_word_are_data_and_stay(chinese: MessageCatalog) -> None:
    catalog = catalog_from({"file": "文件", "there is no {name} here": "这里没有 {name}", "the file": "该文件"})
    assert catalog.line("there is no file here") == "这里没有 file"
    assert catalog.line("there is no the file here") == "这里没有 该文件"
    assert chinese.line("arn:aws:iam::111111111111:role/Audit") == "arn:aws:iam::111111111111:role/Audit"


def test_message_and_its_hint_are_two_sentences() -> None:
    catalog = catalog_from(
        {"there is no {name}": "没有 {name}", "Check it.": "请检查。", "{count:n} files": "{count} 个文件"}
    )
    assert (
        catalog.line("crosstrail: there is no x y (1,234 files). Check it.")
        == "crosstrail: 没有 x y（1,234 个文件）。请检查。"
    )
    assert catalog.line("many files") == "many files"


def test_value_may_hold_the_words_that_stand_between_two() -> None:
    catalog = catalog_from(
        {
            "{what}, {days} altogether.": "{what}，共 {days}。",
            "{many:n} accounts, {few:n} regions": "{many} 个账号，{few} 个区域",
        }
    )
    assert catalog.line("5 accounts, 7 regions, 30 days altogether.") == "5 个账号，7 个区域，共 30 days。"


def test_compiled_catalog_is_read_as_gettext_reads_it(written: dict[str, str]) -> None:
    found = read_compiled(messages.MO.read_bytes())
    assert {msgid: text for msgid, text in found.items() if msgid} == {k: v for k, v in written.items() if v}


@pytest.mark.parametrize("width", [20, 33, 80])
def test_lines_are_broken_by_cells_and_words_stay_whole(width: int) -> None:
    text = (
        "退出状态 3：某个账号无法查询，或不在 `crosstrail lookup` 查询的任何云中（例如 cn-beijing）；1：全部无法查询。"
        * 3
    )
    lines = wrapped(text, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not [line for line in lines if line[0] in "，。；：）" or line.endswith("（")]
    assert any("cn-beijing" in line for line in lines)


def test_help_of_every_command_is_chinese_and_fits_80_columns() -> None:
    done = preloaded.run(program=("-c", _HELP))
    assert done.returncode == 0, done.stderr
    pages = dict(page.split("\n", 1) for page in done.stdout.split("\x1e")[1:])
    assert len(pages) > 30
    for path, page in pages.items():
        assert page.startswith(f"用法：{path}"), page
        wide = [line for line in page.splitlines() if cell_len(line) > 80 and not line.startswith("  crosstrail ")]
        assert not wide, "examples alone stay on one line, to be copied"
        latin = [line for line in page.splitlines() if line.isascii() and not line.startswith("  crosstrail ")]
        english = [line for line in latin if re.search(r"^ +[A-Z][a-z]+ [a-z]{2,} [a-z]", line)]
        assert not english


def test_errors_are_chinese_and_machines_read_english(tmp_path: Path) -> None:
    wrong = preloaded.run("lookup", "--limit", "x", environ=CHINESE)
    assert wrong.returncode == 2
    assert "错误：'--limit' 的值无效：'x' 不是有效的整数。" in wrong.stderr
    missing = preloaded.run("audit", "nowhere", environ=CHINESE | {"HOME": str(tmp_path)})
    assert missing.returncode == 1
    assert missing.stderr == "crosstrail: nowhere 处没有记录。请检查名称。\n"
    listed = preloaded.run("rules", "list", "--json", environ=CHINESE)
    assert json.loads(listed.stdout)[0]["level"]
    assert listed.stdout == preloaded.run("rules", "list", "--json", environ={"LANGUAGE": "en"}).stdout


def test_terminal_without_chinese_letters_breaks_no_command() -> None:
    done = preloaded.run("lookup", "--limit", "x", environ=CHINESE | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert "--limit" in done.stderr


def test_error_on_a_terminal_of_80_columns_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    status, text = on_a_terminal(80, "check", "--bearer", "x", "--", "crosstrail", "serve", errors=True)
    assert status == 2
    assert "--bearer 要与地址一起使用；通过 stdio 没有人登录" in text.replace("\r\n", "")
    assert max(map(cell_len, text.splitlines())) <= 80


def _sentences_of_the_docs() -> list[str]:
    """Prose of the English pages, none of it a message."""
    found: list[str] = []
    for page in sorted(DOCS.glob("*.md")):
        if not page.stem.endswith(".zh"):
            prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
            paragraphs = (" ".join(one.split()) for one in re.split(r"\n\s*\n", prose) if one[:1].isalnum())
            found += [one for paragraph in paragraphs for one in re.split(r"(?<=[.?!]) (?=[A-Z])", paragraph)]
    return [one for one in found if one.endswith(".") and len(one.split()) > 5]


def test_sentence_that_is_no_message_stays_english(chinese: MessageCatalog) -> None:
    sentences = [one for one in _sentences_of_the_docs() if not chinese.exactly(one)][:600]
    assert len(sentences) > 300
    assert not [(one, found) for one in sentences if (found := chinese.line(one)) != one]


@pytest.mark.parametrize(
    ("text", "is_half"),
    [
        ("没有 placeholder to be left, cut or forged。", True),
        ("An 个账号，or an alias：that two sources claim", True),
        ("无法读取 /var/log/to the end.gz：No such file or directory", True),
        ("无法读取 '/var/log/to the end.gz'：No such file or directory", False),
        ("请运行 `crosstrail help of the day`，或 aws sso login --profile dev。", False),
        ("扮演角色 arn:aws:iam::111111111111:role/Audit 失败：User is not authorized to perform it", False),
        ("Nothing of this line is known.", False),
    ],
)
def test_line_is_half_translated_where_a_chinese_sentence_holds_english_prose(text: str, is_half: bool) -> None:
    assert half_translated(text) is is_half


@pytest.mark.parametrize("sign", [": ", "; ", " (", ", ", " and ", ". ", " of ", "? "])
def test_line_that_a_log_wrote_is_read_within_bounds(sign: str) -> None:
    """Part in part in part, and words of messages again and again: it is data, and nothing fails or takes long."""
    catalog = catalog_of("zh_CN")
    for line in ((f"a{sign}" * 900)[:1_990], (f"x ({sign}y) to 1 km in 2 minutes" * 60)[:1_990]):
        assert catalog.line(line) == line
    assert "prod" in catalog.line((f"no account{sign}prod" * 100)[:1_990])


def test_line_known_but_for_its_end_stays_english() -> None:
    line = (
        "107 events by it, first seen 2026-11-17T02:11:08Z, last seen 2026-11-19T13:47:43Z, 10 failed, all denied. "
        "Asked: 2026-11-01T00:00:00Z to now."
    )
    assert catalog_of("zh_CN").line(line) == line


def test_line_that_begins_like_a_message_is_none() -> None:
    line = "Write (11 actions): s3:PutObject 6, ecs:UpdateService 5"
    assert catalog_of("zh_CN").line(line) == line
