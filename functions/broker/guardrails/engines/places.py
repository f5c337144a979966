"""What stands at the places that an engine tells: told while the text is there that it has read."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter

from broker.guardrails.engines.verdicts import Find, Verdict
from broker.guardrails.novelty import Novelty
from broker.guardrails.placeholders import PLACEHOLDER
from broker.guardrails.work import Work


def looked_up(verdict: Verdict, text: str, check: str, novelty: Novelty | None = None) -> Verdict:
    """A verdict without placeholders, which an engine may take for names.

    Args:
        verdict: of an engine.
        text: that it has read.
        check: for which.
        novelty: of an answer, to mark what its request has as well; None where no rule asks.
    """
    finds = _without_placeholders(verdict.finds, text)
    if novelty is not None:
        work = Work.of(check)
        finds = (
            replace(find, asked=find.end > 0 and novelty.was_asked(text[find.begin : find.end], work)) for find in finds
        )
    return replace(verdict, finds=tuple(finds))


def _without_placeholders(finds: Sequence[Find], text: str) -> Iterator[Find]:
    taken = [match.span() for match in PLACEHOLDER.finditer(text)]
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
