"""How well the guardrails do on labelled rows: what is found, what is missed, what is flagged for nothing, and the CPU.

A row is `{"text", "label": 0|1, "kind", "source", "family", "lang"}`; 1 is what a check should find. All go the way of
a user's message through the pipeline, with the rules that run without a service or a model.
"""

import gzip
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from broker.guardrails.checks import SIZE, check_of
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import Policy, Rule
from broker.guardrails.walk import input_texts

RULES_OF: dict[str, tuple[str, ...]] = {
    "secret": ("secrets",),
    "pii-number": ("card_numbers", "personal_data"),
    "pii-text": ("card_numbers", "personal_data"),
    "injection": ("injection",),
}
"""Which checks answer for a kind of rows; the other kinds (toxicity, harmful requests) are for engines."""

ORDINARY = "benign"

FALSE_POSITIVES = 0.01
"""The rate at which recall by score is told."""

KB = 2048


class Row(NamedTuple):
    """One labelled text."""

    text: str
    label: bool
    kind: str
    source: str
    family: str
    lang: str


@dataclass(slots=True)
class Judged:
    """A row and what the checks said: the highest score of each, and which would be told."""

    row: Row
    scores: dict[str, float] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)

    def score(self, checks: Iterable[str]) -> float:
        """The highest of some checks."""
        return max((self.scores.get(check, 0.0) for check in checks), default=0.0)

    def is_found(self, checks: Iterable[str]) -> bool:
        """True where one of them found something."""
        return not self.found.isdisjoint(checks)


def read(paths: Sequence[Path]) -> Iterator[Row]:
    """The rows of files of JSON lines, packed with gzip or not.

    Raises:
        ValueError: names the file and the line that is none.
    """
    for path in paths:
        opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
        with opened as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                    label = bool(int(row.get("label", 0)))
                    rest = [str(row.get(name) or "") for name in ("source", "family", "lang")]
                    yield Row(str(row["text"]), label, str(row.get("kind") or ORDINARY), *rest)
                except (ValueError, LookupError, TypeError, AttributeError):
                    raise ValueError(f"{path.name}, line {number}: it has to be a JSON object with text") from None


def policy_of(path: Path | None) -> Policy:
    """The policy of a file (`{"rules": [{"check", "threshold", …}]}`, as a registry document has it), or all checks."""
    if path is None:
        names = dict.fromkeys(name for names in RULES_OF.values() for name in names)
        return Policy("all", rules=tuple(Rule(name, "flag") for name in names))
    import yaml

    document = yaml.safe_load(path.read_text())
    entry = document["guardrails"][0] if "guardrails" in document else document
    rules = []
    for given in entry["rules"]:
        known = {name: value for name, value in given.items() if name not in ("threshold", "block_from")}
        rules.append(replace(Rule.from_item(known), threshold=given.get("threshold")))
    return Policy(entry.get("id", path.stem), rules=tuple(rules))


def judge(row: Row, policy: Policy) -> Judged:
    """One row, by the rules of a policy."""
    judged = Judged(row)
    built_in = [rule for rule in policy.rules if rule.is_embedded]  # no engine is asked: its calls cost something
    limits = {rule.check: _threshold(rule) for rule in built_in if rule.check != SIZE}
    # Scores below the threshold are asked for too: recall by score is told of them.
    alone = (replace(rule, action="flag", threshold=0.0, engines=()) for rule in built_in)
    asked = Policy(policy.id, rules=tuple(alone))
    request = {"input": {"messages": [{"role": "user", "content": row.text}]}}
    for finding in inspect("input", input_texts(request), (asked,)).findings:
        judged.scores[finding.rule] = max(judged.scores.get(finding.rule, 0.0), finding.score)
        if finding.score >= limits.get(finding.rule, 0.0):
            judged.found.add(finding.rule)
    return judged


def _threshold(rule: Rule) -> float:
    return check_of(rule.check).threshold if rule.threshold is None else rule.threshold


def recall_at(positives: Sequence[float], negatives: Sequence[float], rate: float = FALSE_POSITIVES) -> float | None:
    """The share of positives whose score is above what at most `rate` of the negatives reach; None without both."""
    if not positives or not negatives:
        return None
    allowed = int(len(negatives) * rate)
    limit = sorted(negatives, reverse=True)[allowed] if allowed < len(negatives) else -1.0
    return sum(score > limit for score in positives) / len(positives)


def _rate(rows: Sequence[Judged], checks: Sequence[str]) -> float | None:
    return sum(each.is_found(checks) for each in rows) / len(rows) if rows else None


def _kind(kind: str, positives: Sequence[Judged], negatives: Sequence[Judged]) -> dict[str, Any]:
    checks = RULES_OF.get(kind, ())
    hits, alarms = (sum(each.is_found(checks) for each in rows) for rows in (positives, negatives))
    told: dict[str, Any] = {
        "checks": list(checks),
        "positives": len(positives),
        "negatives": len(negatives),
        "recall": _rate(positives, checks),
        "precision": hits / (hits + alarms) if hits + alarms else None,
        "false_positive_rate": _rate(negatives, checks),
        "recall_at_1_percent": recall_at(
            [each.score(checks) for each in positives], [each.score(checks) for each in negatives]
        ),
    }
    own = [each for each in negatives if each.row.kind == kind]
    for name in ("family", "source", "lang"):
        told[f"by_{name}"] = {
            group: {
                "positives": len(found),
                "recall": _rate(found, checks),
                "negatives": len(missed),
                "false_positive_rate": _rate(missed, checks),
            }
            for group, found, missed in _groups(name, positives, own)
        }
    return told


def _groups(
    name: str, positives: Sequence[Judged], negatives: Sequence[Judged]
) -> Iterator[tuple[str, list[Judged], list[Judged]]]:
    groups: dict[str, tuple[list[Judged], list[Judged]]] = defaultdict(lambda: ([], []))
    for at, rows in enumerate((positives, negatives)):
        for each in rows:
            groups[getattr(each.row, name) or "-"][at].append(each)
    for group in sorted(groups):
        yield group, *groups[group]


def measure(rows: Iterable[Row], policy: Policy) -> dict[str, Any]:
    """All figures of some rows: by kind, of ordinary text by check and family, and the CPU."""
    judged: list[Judged] = []
    length, began = 0, time.process_time()
    for row in rows:
        judged.append(judge(row, policy))
        length += len(row.text)
    spent = time.process_time() - began
    ordinary = [each for each in judged if not each.row.label and each.row.kind == ORDINARY]
    kinds = sorted({each.row.kind for each in judged if each.row.label})
    return {
        "policy": policy.id,
        "rows": len(judged),
        "characters": length,
        "cpu_ms_per_2_kb": spent * 1000 * KB / length if length else None,
        "cpu_ms_per_row": spent * 1000 / len(judged) if judged else None,
        "kinds": {
            kind: _kind(
                kind,
                [each for each in judged if each.row.label and each.row.kind == kind],
                ordinary + [each for each in judged if not each.row.label and each.row.kind == kind],
            )
            for kind in kinds
        },
        "ordinary": {
            check: {
                "rows": len(ordinary),
                "false_positive_rate": _rate(ordinary, (check,)),
                "by_family": {
                    group: {"rows": len(negatives), "false_positive_rate": _rate(negatives, (check,))}
                    for group, _, negatives in _groups("family", (), ordinary)
                },
            }
            for check in dict.fromkeys(rule.check for rule in policy.rules if rule.is_embedded)
        },
    }


def run(paths: Sequence[Path], policy: Path | None = None, *, as_json: bool = False) -> None:
    """Print the figures of files of rows."""
    figures = measure(read(paths), policy_of(policy))
    if as_json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))
        return
    print(f"{figures['rows']:,} rows, {figures['characters']:,} characters, policy {figures['policy']}")
    print(f"CPU: {_number(figures['cpu_ms_per_2_kb'])} ms for 2 KB, {_number(figures['cpu_ms_per_row'])} ms a row")
    for kind, told in figures["kinds"].items():
        print(f"\n{kind}: {', '.join(told['checks']) or 'no rule answers for it; engines do'}")
        print(f"  {told['positives']:,} to find, {told['negatives']:,} not to")
        for name in ("recall", "precision", "false_positive_rate", "recall_at_1_percent"):
            print(f"  {name.replace('_', ' '):<24}{_number(told[name])}")
        for name in ("family", "source", "lang"):
            print(f"  by {name:<35}{'to find':>9}{'recall':>9}{'not to':>9}{'flagged':>9}")
            for group, each in told[f"by_{name}"].items():
                shown = (each["positives"], _number(each["recall"]), each["negatives"])
                print(f"    {group[:34]:<34}{shown[0]:>9}{shown[1]:>9}{shown[2]:>9}", end="")
                print(f"{_number(each['false_positive_rate']):>9}")
    for check, told in figures["ordinary"].items():
        print(f"\nordinary texts flagged by {check}: {_number(told['false_positive_rate'])} of {told['rows']:,}")
        for group, each in told["by_family"].items():
            if each["false_positive_rate"]:
                print(f"    {group[:34]:<34}{each['rows']:>9}{_number(each['false_positive_rate']):>9}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
