"""What follows from engines' verdicts, by each rule: which engine is asked next, and what it comes to."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NamedTuple

from broker.guardrails.edits import Change, edits_of
from broker.guardrails.engines.questions import one, passages
from broker.guardrails.engines.verdicts import FAILED, FLAGGED, NOT_ALL, REFUSED, SURE, Find, Verdict
from broker.guardrails.findings import Finding
from broker.guardrails.pipeline import MOST_FINDINGS, Report
from broker.guardrails.placeholders import PLACEHOLDER
from broker.guardrails.policy import STRICTNESS, Action, Policy, Rule, Stage
from broker.guardrails.walk import Seen

ATTACKS = ("injection", "jailbreak", "extraction", "attack", "unsafe_prompt")
"""What is in the names of kinds that are attacks."""

Verdicts = Mapping[str, Verdict]
"""By the names of questions."""


def name_of(rule: Rule, engine: str) -> str:
    """The name of the question that answers for a rule."""
    return f"{engine}/{rule.check}"


def next_engines(rule: Rule, verdicts: Verdicts) -> list[str]:
    """The engines that are to be asked now; none where the rule is settled.

    Of a cascade that is one at a time, as long as the last one is unsure or gave no verdict; all others side by side.
    """
    if rule.combine != "cascade":
        return [engine for engine in rule.models if name_of(rule, engine) not in verdicts]
    for engine in rule.models:
        verdict = verdicts.get(name_of(rule, engine))
        if verdict is None:
            return [engine]
        if not verdict.failed and not _is_unsure(rule, verdict):
            return []
    return []


def weigh(
    stage: Stage,
    rules: Sequence[tuple[Policy, Rule]],
    verdicts: Verdicts,
    texts: Iterable[Seen],
    *,
    changed: bool = False,
) -> Report:
    """What the rules come to; see `pipeline.inspect`, which does the same for what is built in.

    Args:
        stage: before the model, or after it.
        rules: those whose engines were asked.
        verdicts: of the engines.
        texts: what they were asked about.
        changed: true where what they found was taken out of the texts before.
    """
    seen = list(texts)
    weighing = _Weighing(stage, seen, changed)
    for policy, rule in rules:
        weighing.add(policy, rule, verdicts)
    weighing.findings.sort(key=lambda each: -STRICTNESS.get(each.action, len(STRICTNESS)))
    documents = {tuple(each.path.steps()): each.text for each in seen if each.seam is None and not each.is_key}
    edits = edits_of(weighing.changes, documents)
    taken = weighing.redacts
    return Report(weighing.findings[:MOST_FINDINGS], edits, weighing.blocking, weighing.holding, redacts=taken)


class _Said(NamedTuple):
    engine: str
    verdict: Verdict


class _Read(NamedTuple):
    parts: Sequence[tuple[int, Seen]]
    """Where in what an engine got each text begins."""
    taken: Sequence[tuple[int, int]]
    """Where in it placeholders stand."""


@dataclass(slots=True)
class _Weighing:
    stage: Stage
    texts: list[Seen]
    changed: bool
    findings: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    blocking: set[str] = field(default_factory=set)
    holding: set[str] = field(default_factory=set)
    read: dict[str, _Read] = field(default_factory=dict)
    """By check."""
    redacts: bool | None = None
    """As `Report.redacts`."""

    def add(self, policy: Policy, rule: Rule, verdicts: Verdicts) -> None:
        """One rule."""
        if rule.redacts and not policy.shadow and self.redacts is None:
            self.redacts = True
        said = [_Said(engine, verdicts.get(name_of(rule, engine), Verdict(failed=FAILED))) for engine in rule.models]
        if rule.combine == "cascade":
            heard = [each for each in said if name_of(rule, each.engine) in verdicts]
            self._cascade(policy, rule, heard or said[:1])
            return
        for each in said:
            if each.verdict.failed:
                self._failed(policy, rule, each)
        answered = [each for each in said if not each.verdict.failed or each.verdict.finds]  # of some parts of a text
        if rule.combine == "all" and not all(_counting(rule, each.verdict) for each in answered):
            return
        for each in answered:
            self._found(policy, rule, each, _counting(rule, each.verdict))

    def _cascade(self, policy: Policy, rule: Rule, said: Sequence[_Said]) -> None:
        """The last that gave a verdict decides; where the last one asked gave none, nobody has let it pass."""
        for each in said:
            if each.verdict.failed and each is said[-1]:
                self._failed(policy, rule, each)
            elif each.verdict.failed:
                self._note(policy, rule, each, each.verdict.failed, "error", 0.0, 1)
        self._found(policy, rule, said[-1], _counting(rule, said[-1].verdict))

    def _failed(self, policy: Policy, rule: Rule, said: _Said) -> None:
        self._note(policy, rule, said, said.verdict.failed, "error", 0.0, 1)
        if rule.redacts and not policy.shadow:
            self.redacts = False
        acts = rule.action != "flag" or (said.verdict.failed == NOT_ALL and rule.block_from is not None)
        if acts and not rule.fail_open and not policy.shadow:
            (self.holding if rule.action == "review" else self.blocking).add(rule.check)

    def _found(self, policy: Policy, rule: Rule, said: _Said, finds: Sequence[Find]) -> None:
        kinds: dict[tuple[str, Action], list[Find]] = {}
        for find in self._without_placeholders(rule, finds):
            action: Action = rule.action
            if rule.block_from is not None and find.score >= rule.block_from:
                action = "block"
            kinds.setdefault((find.kind, action), []).append(find)
        for (kind, action), alike in kinds.items():
            self._note(policy, rule, said, kind, action, max(find.score for find in alike), len(alike))
            if policy.shadow or action == "flag":
                continue
            if action in ("review", "block"):
                (self.holding if action == "review" else self.blocking).add(rule.check)
            elif not self.changed:
                self._change(rule, kind, action, alike)

    def _without_placeholders(self, rule: Rule, finds: Sequence[Find]) -> Iterator[Find]:
        """The finds but for placeholders, which an engine may take for names."""
        taken = self._read(rule.check).taken
        for find in finds:
            begin, parted = find.begin, False
            following = bisect_right(taken, find.begin, key=itemgetter(1))
            for first, last in taken[following : bisect_left(taken, find.end, key=itemgetter(0))]:
                if begin < first:
                    yield replace(find, begin=begin, end=first)
                begin, parted = last, True
            if not parted:
                yield find
            elif begin < find.end:
                yield replace(find, begin=begin)

    def _change(self, rule: Rule, kind: str, action: Action, finds: Sequence[Find]) -> None:
        parts = self._read(rule.check).parts
        for find in finds:
            pieces = []
            at = max(bisect_right(parts, find.begin, key=itemgetter(0)) - 1, 0)
            for begin, seen in parts[at : bisect_left(parts, find.end, key=itemgetter(0))]:
                first, last = max(find.begin - begin, 0), min(find.end - begin, len(seen.text))
                if first < last:
                    pieces.append((seen, first, last))
            if not pieces or any(seen.is_key for seen, _, _ in pieces):
                self.blocking.add(rule.check)  # it cannot be taken out without breaking what it is in
                continue
            self.changes.append(
                Change(kind, action, [(tuple(seen.path.steps()), first, last) for seen, first, last in pieces])
            )

    def _read(self, check: str) -> _Read:
        """What engines were asked for a check: put together once, however much they found."""
        if check not in self.read:
            passage = one(passages(check, self.texts))
            self.read[check] = _Read(passage.parts, [match.span() for match in PLACEHOLDER.finditer(passage.text)])
        return self.read[check]

    def _note(self, policy: Policy, rule: Rule, said: _Said, kind: str, action: str, score: float, count: int) -> None:
        about = (self.stage, rule.check, kind, action, count, str(self.stage), round(score, 3))
        reasons = (said.engine,)
        self.findings.append(Finding(*about, policy.name, said.verdict.version, reasons=reasons, shadow=policy.shadow))


def _counting(rule: Rule, verdict: Verdict) -> list[Find]:
    """What counts of a verdict for a rule."""
    least = SURE if rule.threshold is None else rule.threshold
    return [find for find in verdict.finds if find.score >= least and _is_wanted(rule, find)]


def _is_wanted(rule: Rule, find: Find) -> bool:
    """Services tell of more than they are asked for: an insult is no injection."""
    if find.kind in (FLAGGED, REFUSED):
        return True
    if rule.check == "injection":
        return is_attack(find)
    wanted = rule.topics or rule.kinds
    return not wanted or find.kind in wanted


def is_attack(find: Find) -> bool:
    """True for a kind that is one, as judges and services call them."""
    return any(word in find.kind for word in ATTACKS)


def _is_unsure(rule: Rule, verdict: Verdict) -> bool:
    low, high = rule.unsure
    surest = max((find.score for find in verdict.finds if _is_wanted(rule, find)), default=0.0)
    return low <= surest < high
