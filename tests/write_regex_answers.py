"""Writes regex_answers.jsonl: what the regular expressions of Trino, which are Joni's with Java's syntax, find in texts.

    python tests/write_regex_answers.py JONI.jar      # io.airlift:joni:2.1.5.3 of Maven Central; needs a JDK

The patterns are made by a grammar, with a fixed seed, after some that people write.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ANSWERS = HERE / "regex_answers.jsonl"
_PATTERNS, _TEXTS_EACH, _SEED = 800, 3, 7
_LETTERS = "ksStfiilKaAbx1_-. /\n"
_WIDE = "ß\u212aſéÉﬁﬃﬆẞİıÅ\u212bΩ\u2126日\u0301\u2028\u00a0٣µ²"
_CLASSES = [
    r"\d",
    r"\w",
    r"\s",
    r"\D",
    r"\W",
    r"\S",
    r".",
    r"[a-k]",
    r"[^/]",
    r"[^a\s]",
    r"[\w.-]",
    r"[sS]",
    r"[^s]",
    r"[\d_]",
    r"[a-zA-Z0-9+=,.@_-]",
    r"[éÅ]",
    r"[*+]",
]
_ESCAPES = [r"\.", r"\-", r"\/", r"\+", r"\*", r"\x41", r"\u00e9", r"\n", r"\t", r"\(", r"\}", r"\]"]
_REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{0,2}?", "{1}", "{1,2}?"]
_EVERYDAY = (
    (r"\d+\.\d+", "aws-cli/2.13.1 Python/3.11"),
    (r"\w+\s+\d+", "port  443"),
    (r"(?i)kali", "aws-cli/1.2 Linux/5 KALI"),
    (r"(?i)kali", "Größe \u212aali"),
    (r"(?i)password", "Paßword PASSWORD"),
    (r"(?i)pass", "PAß ſſ"),
    (r"\bcurl\b", "größe/1 curl/7 écurl curlé"),
    (r"[*+]+", "a*+b"),
    (r"/$", "arn/a/\n"),
    (r"\.com$", "ec2.amazonaws.com"),
    (r"[a-z0-9]{32}.{40}", "x" * 80),
    (r"^arn:aws:(iam|sts)::(\d{12}):(?:user|assumed-role)/(.+)$", "arn:aws:sts::012345678901:assumed-role/A/b"),
    (r"(?is)begin.*end", "BEGIN\nend"),
    (r"\bx\b", "éx x"),
)


class Grammar:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same each time

    def pattern(self) -> str:
        pick = self._random
        start = pick.choice(["", "", "(?i)", "(?i)", "(?s)", "(?is)"]) + ("^" if pick.random() < 0.15 else "")
        return start + self._alternatives(0) + ("$" if pick.random() < 0.2 else "")

    def text(self) -> str:
        pick = self._random
        wide = pick.choice([0, 0, 0.1, 0.5])
        return "".join(pick.choice(_WIDE if pick.random() < wide else _LETTERS) for _ in range(pick.randint(0, 12)))

    def _alternatives(self, depth: int) -> str:
        return "|".join(self._sequence(depth) for _ in range(self._random.choice([1, 1, 1, 2, 2, 3])))

    def _sequence(self, depth: int) -> str:
        return "".join(self._item(depth) for _ in range(self._random.randint(1, 3 if depth else 4)))

    def _item(self, depth: int) -> str:
        atom = self._atom(depth)
        repeated = atom != r"\b" and self._random.random() < 0.3
        return atom + (self._random.choice(_REPEATS) if repeated else "")

    def _atom(self, depth: int) -> str:
        pick, kind = self._random, self._random.random()
        if kind < 0.42:
            return "".join(pick.choice("ksstffiilaAbKx1_-/ ") for _ in range(pick.randint(1, 3)))
        if kind < 0.47:
            return pick.choice(_ESCAPES)
        if kind < 0.70:
            return pick.choice(_CLASSES)
        if kind < 0.73:
            return pick.choice("é日ü")
        if kind < 0.80:
            return r"\b"
        if depth > 2:
            return "a"
        name = f"(?<n{pick.randint(1, 99)}>"
        return pick.choice(["(", "(?:", "(", name, "(?i:"]) + self._alternatives(depth + 1) + ")"


def answers(joni: Path, pairs: list[tuple[str, str]]) -> list[list[list[str | None]] | None]:
    """For each (pattern, text) all matches, each with its groups; None where the pattern is refused."""
    lines = ["\t".join(base64.b64encode(part.encode()).decode() for part in pair) for pair in pairs]
    command = ["java", "-cp", str(joni), str(HERE / "RegexAnswers.java")]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return [None if line == "!" else [_match(one) for one in line[1:].split()] for line in done.stdout.splitlines()]


def _match(line: str) -> list[str | None]:
    return [None if part == "-" else base64.b64decode(part[1:]).decode() for part in line.split(",")]


def main() -> None:
    grammar = Grammar(_SEED)
    pairs = list(_EVERYDAY)
    for _ in range(_PATTERNS):
        pattern = grammar.pattern()
        pairs += [(pattern, grammar.text()) for _ in range(_TEXTS_EACH)]
    found = answers(Path(sys.argv[1]), pairs)
    lines = [
        json.dumps({"pattern": pattern, "text": text, "matches": matches})
        for (pattern, text), matches in zip(pairs, found, strict=True)
    ]
    ANSWERS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
