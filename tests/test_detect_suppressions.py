"""`detect.suppressions`: what they hold back, until when, and what is refused of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crosstrail.detections.suppressions import Suppression, sift
from crosstrail.errors import ConfigError
from crosstrail.settings.config import load_settings
from made_findings import RULE, finding

TODAY = date(2026, 11, 20)


def suppression(**more: object) -> Suppression:
    return Suppression.model_validate({"rule": RULE.id, "reason": "known", **more})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"rule": "cloudtrail important *"},
        {"account": "1111*"},
        {"account": "PROD", "principal": "user/deploy-*"},
        {"until": "2026-11-20"},
    ],
)
def test_a_suppression_holds_back_and_is_counted(more: dict[str, object]) -> None:
    one = suppression(**more)
    sifted = sift([finding()], [one], TODAY, lambda key: (key[1], "prod"))
    assert (sifted.shown, sifted.suppressed, sifted.expired) == ((), ((one, 1),), ())


@pytest.mark.parametrize("more", [{"rule": "other"}, {"account": "dev"}, {"principal": "root"}])
def test_what_one_glob_does_not_match_is_shown(more: dict[str, object]) -> None:
    assert sift([finding()], [suppression(**more)], TODAY).shown == (finding(),)


def test_an_expired_one_holds_no_more_and_is_said() -> None:
    one, other = suppression(until="2026-11-19"), suppression(rule="other", until="2026-11-19")
    sifted = sift([finding()], [one, other], TODAY)
    assert (sifted.shown, sifted.suppressed, sifted.expired) == ((finding(),), (), (one,))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{rule: x}", "detect.suppressions.0.reason"),
        ("{rule: x, reason: ''}", "detect.suppressions.0.reason"),
        ("{rule: x, reason: y, prinzipal: z}", "Did you mean principal?"),
        ("{rule: x, reason: y, until: soon}", "detect.suppressions.0.until"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "crosstrail.yaml").write_text(f"detect: {{suppressions: [{entry}]}}\n")
    with pytest.raises(ConfigError) as failed:
        load_settings(str(tmp_path / "crosstrail.yaml"), environ={})
    assert said in failed.value.operators_text


def test_rules_of_a_file_are_taken_from_its_folder(tmp_path: Path) -> None:
    for rules in ("[ours, /abs]", '"ours, /abs"'):
        (tmp_path / "crosstrail.yaml").write_text(f"detect: {{rules: {rules}}}\n")
        assert load_settings(str(tmp_path / "crosstrail.yaml"), environ={}).detect.rules == (
            str(tmp_path / "ours"),
            "/abs",
        )
