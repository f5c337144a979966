"""Personal data in a text: numbers with a check digit or a plan, addresses, and what words near them tell."""

from collections.abc import Iterable, Iterator

from broker.guardrails.classes import classes as classes_of
from broker.guardrails.classes import without
from broker.guardrails.iban import find_ibans
from broker.guardrails.numbers import plain
from broker.guardrails.pii.crypto import find_wallets
from broker.guardrails.pii.email import find_emails
from broker.guardrails.pii.ids import find_ids
from broker.guardrails.pii.labelled import find_labelled
from broker.guardrails.pii.machines import find_addresses
from broker.guardrails.pii.phones import find_international, find_national
from broker.guardrails.pii.words import mentions
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

EACH_TEXT = 15
"""Steps that its finders take for a text in which nothing is."""


def find_pii(text: str, work: Work | None = None) -> Iterator[Span]:
    """The personal data in a text, in order; where two finders see the same characters, the surer one counts."""
    text, work = plain(text), work or Work()
    work.take(EACH_TEXT)
    near = mentions(text, work)
    classes = classes_of(text)
    # In this order: what stands first keeps its characters, and the numbers are looked for in what is left.
    found = [
        *find_emails(text, work),
        *find_ibans(text, classes, work),
        *find_wallets(text, work),
        *find_addresses(text, work),
        *find_international(text, work),
    ]
    classes = without(classes, found)
    found += [
        *find_ids(text, classes, near, work),
        *find_national(text, classes, near, work),
        *find_labelled(text, near, work),
    ]
    yield from _apart(found)


def _apart(found: Iterable[Span]) -> Iterator[Span]:
    """Without those that lie over an earlier one, in the order of the text."""
    ranked = sorted(enumerate(found), key=lambda each: (each[1].begin, each[0]))
    kept: list[tuple[int, Span]] = []
    for rank, span in ranked:
        if kept and span.begin < kept[-1][1].end:
            if rank < kept[-1][0]:
                kept[-1] = rank, span
            continue
        kept.append((rank, span))
    return (span for _, span in kept)
