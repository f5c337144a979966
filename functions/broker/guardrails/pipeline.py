"""Runs policies over texts: what each check finds, what follows, and where the texts are to be changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from broker.guardrails import checks
from broker.guardrails.checks import ALIKE_FOR_ALL_RULES, BY_NAME, BY_SOURCE, SIZE
from broker.guardrails.checks.base import About, Check
from broker.guardrails.decoding import NOT_ALL
from broker.guardrails.edits import Change, Edit, Place, edits_of
from broker.guardrails.engines.verdicts import counts_from
from broker.guardrails.findings import Finding
from broker.guardrails.normal import Normal, applied
from broker.guardrails.novelty import Novelty
from broker.guardrails.policy import CHANGES, STRICTNESS, Action, Policy, Rule, Stage
from broker.guardrails.spans import Span
from broker.guardrails.views import View, Views, joined, pieces_of, stands_across
from broker.guardrails.walk import Seen
from broker.guardrails.work import EACH_FIND, EACH_TEXT, NOT_ALL_READ, Work

MOST_FINDINGS = 40
"""Of one stage that are kept one by one; a request of many kinds of secrets has no use for more."""

MOST_ROUNDS = 4
"""How often a text is read again without what was removed; one that then still has more of it blocks."""


@dataclass(slots=True)
class Report:
    """What came of a run."""

    findings: list[Finding] = field(default_factory=list)
    edits: dict[Place, list[Edit]] = field(default_factory=dict)
    """By the place of the text."""
    blocking: set[str] = field(default_factory=set)
    """The rules that block."""
    holding: set[str] = field(default_factory=set)
    """The rules that want a person to look."""
    asking: list[tuple[Policy, Rule]] = field(default_factory=list)
    """The rules for which engines have to be asked; none where the job is blocked anyway."""
    redacts: bool | None = None
    """True where all rules that take personal data out of a request have read all of it, False where one has not; None
    where there were none."""

    @property
    def blocked(self) -> bool:
        """True when one of them does."""
        return bool(self.blocking)

    @property
    def hashes(self) -> bool:
        """True where something is to be hashed, which takes a key."""
        return any(edit.action == "hash" for edits in self.edits.values() for edit in edits)

    def fail(self, action: Action) -> None:
        """Let the rules block whose action cannot be carried out; what they found is taken out altogether."""
        for place, each in enumerate(self.findings):
            if each.action == action and not each.shadow:
                self.findings[place] = replace(each, kind="check_failed", action="error")
                self.blocking.add(each.rule)
        if not self.blocking:  # of very many findings, those are not among the ones that are kept
            self.blocking.add(action)
        for edits in self.edits.values():
            edits[:] = [edit._replace(action="remove") if edit.action == action else edit for edit in edits]


@dataclass(slots=True)
class _Tally:
    count: int
    place: str
    score: float
    reasons: tuple[str, ...]


def inspect(
    stage: Stage,
    texts: Iterable[Seen],
    policies: Sequence[Policy],
    asked: Callable[[], Mapping[str, Any]] = dict,
    check_of: Callable[[str], Check] = checks.check_of,
) -> Report:
    """Run all rules of the policies that are for a stage; each text is read once.

    Args:
        stage: before the model, or after it.
        texts: of the request, or of the answer.
        policies: all that hold.
        asked: gives the request that an answer is to; only some rules need it.
        check_of: gives a check by its name.
    """
    rules = [(policy, rule) for policy in policies for rule in policy.rules if stage in rule.stages]
    run = _Run(stage, rules, cache(asked), check_of)
    for seen in texts:
        run.read(seen)
    return run.report()


class _Run:
    def __init__(
        self,
        stage: Stage,
        rules: Sequence[tuple[Policy, Rule]],
        asked: Callable[[], Mapping[str, Any]],
        check_of: Callable[[str], Check],
    ) -> None:
        self.stage: Stage = stage
        self.asked = asked
        self.novelty = Novelty(stage, asked)
        self.check_of = check_of
        self.every = rules
        self.rules = [(policy, rule) for policy, rule in rules if rule.check != SIZE and rule.is_embedded]
        self.asking = {(policy, rule) for policy, rule in rules if rule.models and not rule.needs_cause}
        self.settled: set[tuple[Policy, Rule]] = set()
        self.sizes = [(policy, rule) for policy, rule in rules if rule.check == SIZE]
        self.tallies: dict[tuple[Policy, Rule, str, str, str], _Tally] = {}
        self.texts: dict[Place, str] = {}
        self.changes: list[Change] = []
        self.unread: set[tuple[int, int]] = set()
        self.told: set[tuple[object, ...]] = set()
        self.removed: dict[Place, tuple[Seen, list[tuple[int, int]]]] = {}
        self.blocking: set[str] = set()
        self.works = {rule.check: Work.of(rule.check) for _, rule in self.rules}
        self.holding: set[str] = set()
        self.size = 0
        self.views = Views()

    def read(self, seen: Seen) -> None:
        """One text."""
        if seen.seam is None and not seen.again:
            self.size += len(seen.text)
            if not seen.is_key:
                self.texts[tuple(seen.path.steps())] = seen.text
        views: list[View] | None = None
        for policy, rule in self.rules:
            if (seen.again and rule.check not in BY_SOURCE) or (seen.seam == "pair" and rule.check not in BY_NAME):
                continue
            if self.works[rule.check].spent:
                self._not_all_read(policy, rule, seen)
                continue
            if self.check_of(rule.check).reads_original:
                self._run(policy, rule, View(seen.text, seen, "", None, {}))
                continue
            if views is None:
                views = self.views.known(seen)
            for view in views:
                if view.hidden == NOT_ALL:
                    self._note(policy, rule, "flag", view._replace(hidden=""), Span(0, 0, NOT_ALL))
                else:
                    self._run(policy, rule, view)

    def _run(self, policy: Policy, rule: Rule, view: View) -> None:
        check, work = self.check_of(rule.check), self.works[rule.check]
        least = rule.least(view.seen.source, check.threshold)
        if rule.combine == "cascade" and rule.models:
            least = rule.unsure[0]
        try:
            spans = self._spans(check, rule, view)
        except Exception:
            # A checker that failed has not let anything pass, nor taken anything out.
            self._note(policy, rule, "error", view, Span(0, 0, "check_failed"))
            if rule.action != "flag" and not rule.fail_open and not policy.shadow:
                (self.holding if rule.action == "review" else self.blocking).add(rule.check)
            return
        for span in spans:
            if (rule.kinds and span.kind not in rule.kinds) or span.score < least:
                continue
            if rule.only_new and self.novelty.was_asked(view.text[span.begin : span.end], work):
                continue
            self._found(policy, rule, view, span)
        if work.spent:
            self._not_all_read(policy, rule, view.seen)

    def _spans(self, check: Check, rule: Rule, view: View) -> Sequence[Span]:
        """What a check finds with what it may still do; nothing is read where that is nothing."""
        if (known := view.spans.get(rule.check)) is not None:
            return known
        work = self.works[rule.check]
        if not work.take(EACH_TEXT):
            return ()
        found: list[Span] = []
        for span in check.find(view.text, About(rule, view.seen, self.asked, work)):
            stopped = work.spent  # it did itself, and has these left from before
            found.append(span)
            if not work.take(EACH_FIND) and not stopped:
                break
        if rule.check in ALIKE_FOR_ALL_RULES:
            view.spans[rule.check] = found
        return found

    def _not_all_read(self, policy: Policy, rule: Rule, seen: Seen) -> None:
        """What was not read, from this text on, may have what the rule would act on. Told once."""
        told = id(policy), id(rule)  # quicker than their hashes
        if told in self.unread:
            return
        self.unread.add(told)
        acts = (rule.action != "flag" or rule.block_from is not None) and not rule.fail_open
        self.tallies[policy, rule, NOT_ALL_READ, "block" if acts else "flag", ""] = _Tally(1, str(seen.path), 1.0, ())
        if acts and not policy.shadow:
            self.blocking.add(rule.check)

    def _found(self, policy: Policy, rule: Rule, view: View, span: Span) -> None:
        begin, end = view.back(span.begin, span.end) if view.back else (span.begin, span.end)
        if view.across and not stands_across(view.across, begin, end):
            return
        pieces = list(pieces_of(view.seen, begin, end))
        if view.seen.seam and len(pieces) < 2 - (view.seen.seam == "pair"):
            return  # it stands in one of the texts, and was found there
        if rule.needs_cause and (rule.combine == "all" or span.score < rule.unsure[1]):
            self.asking.add((policy, rule))
            if rule.combine == "all" or rule.action not in CHANGES or span.score < counts_from(rule):
                return  # the engines decide; what is only taken out is so whoever found it
        elif rule.needs_cause and rule.action in ("flag", "review", "block"):
            self.settled.add((policy, rule))  # what is only taken out says nothing of the rest
        action: Action = rule.action
        block_from = rule.blocking_score(view.seen.source)
        if block_from is not None and span.score >= block_from:
            action = "block"
        if view.seen.is_key and action not in ("flag", "review", "block"):
            action = "block"  # a name is part of a schema: it cannot be changed without breaking it
        places = [(tuple(path.steps()), first, last) for path, first, last in pieces]
        if not view.hidden or end - begin < len(view.seen.text):  # as a whole, a text may be worse when it is decoded
            told = (policy, rule, span.kind, action, view.seen.is_key, *places)
            if told in self.told:
                return  # it was found in another reading of the same text
            self.told.add(told)
        self._note(policy, rule, action, view, span)
        if policy.shadow or action == "flag":
            return
        if action in ("review", "block"):
            (self.holding if action == "review" else self.blocking).add(rule.check)
            return
        if action == "remove" and view.seen.seam is None:
            self.removed.setdefault(tuple(view.seen.path.steps()), (view.seen, []))[1].append((begin, end))
        self.changes.append(Change(span.kind, action, places))

    def _note(self, policy: Policy, rule: Rule, action: str, view: View, span: Span) -> None:
        key = (policy, rule, span.kind, action, view.hidden)
        if (tally := self.tallies.get(key)) is None:
            self.tallies[key] = _Tally(1, str(view.seen.path), span.score, span.reasons)
            return
        tally.count += 1
        if span.score > tally.score:
            tally.score, tally.reasons = span.score, span.reasons

    def read_again(self) -> None:
        """Look for what only comes together where something is removed from between; it is taken out as a whole."""
        spans: dict[Place, list[tuple[int, int]]] = {}
        for _ in range(MOST_ROUNDS):
            waiting, self.removed = self.removed, {}
            for place, (seen, found) in waiting.items():
                spans[place] = joined([*spans.get(place, ()), *found])
                left = applied(seen.text, [(*span, "") for span in spans[place]])
                for view in self.views.of(seen._replace(text=left.text)):
                    back = partial(_through, left, view.back)
                    for policy, rule in self.rules:
                        if not self.check_of(rule.check).reads_original and view.hidden != NOT_ALL:
                            self._run(policy, rule, view._replace(seen=seen, back=back, across=tuple(spans[place])))
        if self.removed:
            self.blocking |= {rule.check for _, rule in self.rules if rule.action == "remove"}

    def report(self) -> Report:
        """What came of it."""
        self.read_again()
        findings = [
            Finding(
                *(self.stage, rule.check, kind, action, tally.count, tally.place, round(tally.score, 3)),
                *(policy.name, self.check_of(rule.check).version, hidden, tally.reasons, policy.shadow),
            )
            for (policy, rule, kind, action, hidden), tally in self.tallies.items()
        ]
        for policy, rule in self.sizes:
            if self.size > rule.max_chars:
                if rule.action == "block" and not policy.shadow:
                    self.blocking.add(SIZE)
                about = (self.stage, SIZE, "too_long", rule.action, self.size, str(self.stage), 1.0, policy.name, "1")
                findings.append(Finding(*about, shadow=policy.shadow))
        findings.sort(key=lambda each: -STRICTNESS.get(each.action, len(STRICTNESS)))
        asking = [] if self.blocking else [each for each in self.every if each in self.asking - self.settled]
        edits = edits_of(self.changes, self.texts)
        return Report(findings[:MOST_FINDINGS], edits, self.blocking, self.holding, asking, self._redacts())

    def _redacts(self) -> bool | None:
        """See `Report.redacts`; a rule that now asks its engines has taken nothing out yet."""
        rules = [
            (policy, rule)
            for policy, rule in self.rules
            if rule.redacts and not policy.shadow and not (rule.needs_cause and (policy, rule) in self.asking)
        ]
        unread = {
            (policy, rule)
            for policy, rule, kind, action, _ in self.tallies
            if action == "error" or kind in (NOT_ALL, NOT_ALL_READ)
        }
        return unread.isdisjoint(rules) if rules else None


def _through(left: Normal, back: Any, begin: int, end: int) -> tuple[int, int]:
    return left.back(*(back(begin, end) if back else (begin, end)))
