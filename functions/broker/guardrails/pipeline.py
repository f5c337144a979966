"""Runs policies over texts: what each check finds, what follows, and where the texts are to be changed."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple

from broker.guardrails import checks
from broker.guardrails.checks import BY_SOURCE, SIZE
from broker.guardrails.checks.base import About, Check
from broker.guardrails.decoding import NOT_ALL, Decoded, decoded
from broker.guardrails.edits import Change, Edit, Place, edits_of
from broker.guardrails.findings import Finding
from broker.guardrails.normal import Normal, applied, normalised
from broker.guardrails.policy import STRICTNESS, Action, Policy, Rule, Stage
from broker.guardrails.spans import Span
from broker.guardrails.walk import Path, Seen, input_texts

MOST_FINDINGS = 40
"""Of one stage that are kept one by one; a request of many kinds of secrets has no use for more."""

MOST_ROUNDS = 4
"""How often a text is read again without what was removed; one that then still has more of it blocks."""

SHORTEST_HIDDEN = 12
"""Characters of a text that may have something encoded in it."""


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

    @property
    def blocked(self) -> bool:
        """True when one of them does."""
        return bool(self.blocking)

    @property
    def hashes(self) -> bool:
        """True where something is to be hashed, which takes a key."""
        return any(edit.action == "hash" for edits in self.edits.values() for edit in edits) and not self.blocked

    def fail(self, action: Action) -> None:
        """Let the rules block whose action cannot be carried out; what they found may not pass as it is."""
        for place, each in enumerate(self.findings):
            if each.action == action and not each.shadow:
                self.findings[place] = replace(each, kind="check_failed", action="error")
                self.blocking.add(each.rule)
        if not self.blocking:  # of very many findings, those are not among the ones that are kept
            self.blocking.add(action)


class _View(NamedTuple):
    """A text as checks read it, and where its characters stand in the text itself."""

    text: str
    seen: Seen
    hidden: str
    back: Any
    across: tuple[tuple[int, int], ...] = ()
    """Where something was removed: what does not stand across one of them was found before."""


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
        self.texts_asked = cache(lambda: tuple(input_texts(asked())))
        self.letters_asked = cache(lambda: _all_letters(self.texts_asked()))
        self.check_of = check_of
        self.rules = [(policy, rule) for policy, rule in rules if rule.check != SIZE]
        self.sizes = [(policy, rule) for policy, rule in rules if rule.check == SIZE]
        self.tallies: dict[tuple[Policy, Rule, str, str, str], _Tally] = {}
        self.texts: dict[Place, str] = {}
        self.changes: list[Change] = []
        self.removed: dict[Place, tuple[Seen, list[tuple[int, int]]]] = {}
        self.blocking: set[str] = set()
        self.holding: set[str] = set()
        self.size = 0

    def read(self, seen: Seen) -> None:
        """One text."""
        if seen.seam is None and not (seen.is_key or seen.again):
            self.size += len(seen.text)
            self.texts[tuple(seen.path.steps())] = seen.text
        views: list[_View] | None = None
        for policy, rule in self.rules:
            if seen.again and rule.check not in BY_SOURCE:
                continue
            check = self.check_of(rule.check)
            if check.reads_original:
                self._run(policy, rule, _View(seen.text, seen, "", None))
                continue
            if views is None:
                views = list(_views(seen))
            for view in views:
                if view.hidden == NOT_ALL:
                    self._note(policy, rule, "flag", view._replace(hidden=""), Span(0, 0, NOT_ALL))
                else:
                    self._run(policy, rule, view)

    def _run(self, policy: Policy, rule: Rule, view: _View) -> None:
        check = self.check_of(rule.check)
        least = check.threshold if rule.threshold is None else rule.threshold
        try:
            spans = list(check.find(view.text, About(rule, view.seen, self.asked)))
        except Exception:
            # A checker that failed has not let anything pass, nor taken anything out.
            self._note(policy, rule, "error", view, Span(0, 0, "check_failed"))
            if rule.action != "flag" and not rule.fail_open and not policy.shadow:
                (self.holding if rule.action == "review" else self.blocking).add(rule.check)
            return
        for span in spans:
            if (rule.kinds and span.kind not in rule.kinds) or span.score < least:
                continue
            if rule.only_new and self._was_asked(view.text[span.begin : span.end]):
                continue
            self._found(policy, rule, view, span)

    def _was_asked(self, found: str) -> bool:
        if self.stage == "input":
            return False  # a request is an answer to nothing: all in it is new
        letters = _letters(found)
        return letters in self.letters_asked() if letters else any(found in seen.text for seen in self.texts_asked())

    def _found(self, policy: Policy, rule: Rule, view: _View, span: Span) -> None:
        begin, end = view.back(span.begin, span.end) if view.back else (span.begin, span.end)
        if view.across and not _stands_across(view.across, begin, end):
            return
        pieces = list(_pieces(view.seen, begin, end))
        if view.seen.seam and len(pieces) < 2:
            return  # it stands in one of the texts, and was found there
        action: Action = rule.action
        if rule.block_from is not None and span.score >= rule.block_from:
            action = "block"
        if view.seen.is_key and action not in ("flag", "review", "block"):
            action = "block"  # a name is part of a schema: it cannot be changed without breaking it
        self._note(policy, rule, action, view, span)
        if policy.shadow or action == "flag":
            return
        if action in ("review", "block"):
            (self.holding if action == "review" else self.blocking).add(rule.check)
            return
        if action == "remove" and view.seen.seam is None:
            self.removed.setdefault(tuple(view.seen.path.steps()), (view.seen, []))[1].append((begin, end))
        self.changes.append(
            Change(span.kind, action, [(tuple(path.steps()), first, last) for path, first, last in pieces])
        )

    def _note(self, policy: Policy, rule: Rule, action: str, view: _View, span: Span) -> None:
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
                spans[place] = _joined([*spans.get(place, ()), *found])
                left = applied(seen.text, [(*span, "") for span in spans[place]])
                for view in _views(seen._replace(text=left.text)):
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
        return Report(findings[:MOST_FINDINGS], edits_of(self.changes, self.texts), self.blocking, self.holding)


def _views(seen: Seen) -> Iterator[_View]:
    normal = normalised(seen.text)
    yield _View(normal.text, seen, "", normal.back if normal.changes else None)
    if len(normal.text) < SHORTEST_HIDDEN:
        return
    for each in decoded(normal.text):
        yield _View(each.text, seen, each.how, partial(_back, normal, each))


def _back(normal: Normal, hidden: Decoded, begin: int, end: int) -> tuple[int, int]:
    return normal.back(*hidden.where(begin, end))


def _through(left: Normal, back: Any, begin: int, end: int) -> tuple[int, int]:
    return left.back(*(back(begin, end) if back else (begin, end)))


def _stands_across(spans: Sequence[tuple[int, int]], begin: int, end: int) -> bool:
    """True where one of the spans, which are apart and in order, lies between."""
    following = bisect_right(spans, begin, key=lambda span: span[0])
    return following < len(spans) and spans[following][1] < end


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without those that touch each other, in order."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined


def _pieces(seen: Seen, begin: int, end: int) -> Iterator[tuple[Path, int, int]]:
    """Where characters of a text stand in the document: path, begin and end; across a seam, in each text there."""
    if seen.seam is None:
        yield seen.path, begin, end
        return
    following = [piece.begin for piece in seen.pieces[1:]] + [len(seen.text)]
    for piece, upto in zip(seen.pieces, following, strict=True):
        first, last = max(begin, piece.begin), min(end, upto)
        if first < last:
            yield piece.path, first - piece.begin + piece.offset, last - piece.begin + piece.offset


def _all_letters(texts: Iterable[Seen]) -> str:
    return " ".join(_letters(normalised(seen.text).text) for seen in texts)


def _letters(text: str) -> str:
    """What counts when it is asked whether a value was there before: not how it is grouped."""
    return "".join(char for char in text.casefold() if char.isalnum())
