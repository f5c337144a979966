"""The measure of the guardrails: rows as they come, and figures that are right."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bench.guardrails import measure, policy_of, read, recall_at, run

CARD = "4111 1111 1111 1111"
ROWS: list[dict[str, Any]] = [
    {"text": f"Pay with {CARD}.", "label": 1, "kind": "pii-number", "family": "visa", "source": "own", "lang": "en"},
    {"text": "Pay in cash.", "label": 1, "kind": "pii-number", "family": "cash", "source": "own", "lang": "en"},
    {"text": "Order 4111 1111 1111 1112", "label": 0, "kind": "pii-number", "family": "order", "source": "own"},
    {"text": "A fine day.", "label": 0, "kind": "benign", "family": "chat", "source": "own", "lang": "en"},
    {"text": f"See {CARD}", "label": 0, "kind": "benign", "family": "support", "source": "other", "lang": "de"},
    {
        "text": "Rude words",
        "label": 1,
        "kind": "toxicity",
        "family": "insult",
        "source": "own",
        "lang": "en",
        "more": 1,
    },
]
POLICY = {"guardrails": [{"id": "cards", "rules": [{"check": "card_numbers", "action": "block"}]}]}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS[:3]) + "\n")
    packed.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in ROWS[3:]).encode()))
    return [plain, packed]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(json.dumps(POLICY))
    return path


def test_what_is_found_missed_and_flagged_for_nothing(files: list[Path], policy: Path) -> None:
    figures = measure(read(files), policy_of(policy))
    assert (figures["rows"], figures["policy"]) == (6, "cards")
    cards = figures["kinds"]["pii-number"]
    assert (cards["positives"], cards["negatives"], cards["recall"]) == (2, 3, 0.5)
    assert cards["precision"] == 0.5 and cards["false_positive_rate"] == pytest.approx(1 / 3)
    assert cards["by_family"]["visa"]["recall"] == 1.0 and cards["by_family"]["cash"]["recall"] == 0.0
    assert cards["by_family"]["order"] == {
        **{"positives": 0, "recall": None, "negatives": 1, "false_positive_rate": 0.0},
    }
    assert cards["by_lang"]["-"]["negatives"] == 1
    assert figures["kinds"]["toxicity"]["checks"] == [] and figures["kinds"]["toxicity"]["recall"] == 0.0
    ordinary = figures["ordinary"]["card_numbers"]
    assert (ordinary["rows"], ordinary["false_positive_rate"]) == (2, 0.5)
    assert ordinary["by_family"]["support"]["false_positive_rate"] == 1.0
    assert figures["cpu_ms_per_2_kb"] > 0


def test_what_engines_judge_is_left_out(files: list[Path], tmp_path: Path) -> None:
    harm = {"check": "harmful_content", "action": "block", "engines": ["judge"]}
    cards = {"check": "card_numbers", "action": "block"}
    path = tmp_path / "judged.yaml"
    path.write_text(json.dumps({"id": "judged", "rules": [harm, cards]}))
    figures = measure(read(files), policy_of(path))
    assert figures["kinds"]["pii-number"]["recall"] == 0.5
    assert "harmful_content" not in figures["ordinary"]


def test_it_prints_for_people_and_for_programs(
    files: list[Path], policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(files, policy, as_json=True)
    assert json.loads(capsys.readouterr().out)["kinds"]["pii-number"]["recall"] == 0.5
    run(files, policy)
    shown = capsys.readouterr().out
    assert "recall                  0.5000" in shown and "no rule answers for it" in shown


def test_all_checks_run_where_no_policy_is_given(files: list[Path]) -> None:
    figures = measure(read(files), policy_of(None))
    assert set(figures["ordinary"]) == {"secrets", "card_numbers", "personal_data", "injection"}


@pytest.mark.parametrize("line", ["no JSON", "[]", '{"label": 1}', '{"text": "a", "label": "yes"}'])
def test_a_line_that_is_none_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(ROWS[0])}\n{line}\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2"):
        list(read([path]))


def test_recall_is_told_at_a_rate_of_false_positives() -> None:
    negatives = [0.0] * 98 + [0.5, 0.9]
    assert recall_at([0.95, 0.6, 0.4], negatives) == pytest.approx(2 / 3)
    assert recall_at([0.95, 0.6, 0.4], negatives, 0.0) == pytest.approx(1 / 3)
    assert recall_at([0.0], [0.0] * 10) == 0.0
    assert recall_at([], [0.1]) is recall_at([0.1], []) is None
