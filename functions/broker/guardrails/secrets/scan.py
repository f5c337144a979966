"""One pass over a text for every name and prefix that is known, then a bounded look at each place."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

from broker.guardrails.secrets import addresses, assigned, commands, headers, issued, keys, web_tokens
from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.issuers import issuers, secret_words
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

Finder = Callable[[Scan, int, int], Iterator[Span]]
"""Given a text and where a literal stands in it: the spans that it leads to."""

STRUCTURES: tuple[tuple[str, Finder], ...] = (
    ("-----begin;----- begin", keys.find_pem),
    ("ls0tls1crudjti", keys.find_encoded_pem),
    ("putty-user-key-file-", keys.find_putty),
    ('"d"', keys.find_jwk),
    ("eyj", web_tokens.find_jwt),
    ("authorization;x-api-key;x-auth-token", headers.find_header),
    ("phpsessid;jsessionid;asp.net_sessionid;connect.sid;session_id;sessionid;_session;sess_id", headers.find_cookie),
    ("://", addresses.find_userinfo),
    ("&sig;?sig;x-amz-signature;x-goog-signature;sharedaccesssignature", addresses.find_signature),
    ("password;pwd", addresses.find_connection),
    ("machine", addresses.find_netrc),
    (":5432:", addresses.find_pgpass),
    (" -u ; --user ;--user=", commands.find_user_option),
    (" -p ; -password ; -pass ", commands.find_password_option),
    ("networkcredential;directoryentry", commands.find_constructor),
)
"""What is found by its structure, and the letters (lower case) at which to look."""


class Literals:
    """Every literal (lower case) with what is to be done where it stands."""

    def __init__(self, finders: Iterable[tuple[str, Finder]]) -> None:
        """A literal may have several finders: they run in the order given."""
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        table: dict[str, list[Finder]] = defaultdict(list)
        for literal, finder in finders:
            table[literal].append(finder)
        self._finders = tuple(map(tuple, table.values()))
        self._automaton = BytesAhoCorasick([narrow(literal) for literal in table], implementation=Implementation.DFA)

    def look(self, scan: Scan, narrowed: bytes) -> Iterator[Span]:
        """All that the finders tell, with overlaps, as far as the work goes; nothing within what is sure already."""
        covered = 0
        for index, begin, end in self._automaton.find_matches_as_indexes(narrowed, overlapping=True):
            finders = self._finders[index] if begin >= covered else ()
            if not scan.work.take(issued.LOOK * len(finders)):
                return
            for finder in finders:
                for span in finder(scan, begin, end):
                    covered = max(covered, span.end if span.score == issued.SURE else 0)
                    yield span


@cache
def literals() -> Literals:
    """The table of all literals, built at the first text."""
    return Literals(_finders())


def _finders() -> Iterator[tuple[str, Finder]]:
    for names, finder in STRUCTURES:
        for name in names.split(";"):
            yield name, finder
    rows = issuers()
    for anchor, token in issued.prefixed(rows):
        yield anchor, token.find
    for keyword, value in issued.beside(rows):
        yield keyword, value.find
    for strength, words in secret_words().items():
        for word in words:
            yield word, partial(assigned.find_assigned, strength=strength)


def find_secrets(text: str, work: Work | None = None) -> Iterator[Span]:
    """The credentials in a text, in order and without overlap; each span covers the secret's value alone.

    Kinds are the ids of `data/issuers/` and `private_key`, `jwt`, `password`, `secret_value`, `url_password` and
    their like. Time is linear in the text's size.
    """
    narrowed = narrow(text)
    return _without_overlap(literals().look(Scan(text, narrowed.decode("ascii"), work or Work()), narrowed))


def narrow(text: str) -> bytes:
    """A byte for each character, in lower case, `?` for all beyond ASCII: quick to search, with the same places."""
    return text.encode("ascii", "replace").lower()


def _without_overlap(spans: Iterable[Span]) -> Iterator[Span]:
    """Those that overlap become one, of the kind of the surest: nothing of any of them may stay in a text."""
    kept: Span | None = None
    for span in sorted(spans, key=lambda each: (each.begin, -each.end)):
        if kept is None or span.begin >= kept.end:
            if kept is not None:
                yield kept
            kept = span
        else:
            surest = max(kept, span, key=lambda each: each.score)
            kept = surest._replace(begin=kept.begin, end=max(kept.end, span.end))
    if kept is not None:
        yield kept
