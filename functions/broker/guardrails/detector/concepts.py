"""What words mean: each word's concepts by `data/concepts.txt`, in many languages."""

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from broker.guardrails.detector.reading import LEET, fold, unspaced

LONGEST_STEM = 14
"""Characters of a word that are looked up as stems."""

VOWELS, REPEATED, DRAWN_OUT = re.compile("[aeiou]"), re.compile(r"(.)\1+"), re.compile(r"(.)\1\1+")

SHORTEST = 5
"""Letters of a word that may be misspelt: shorter ones are others."""

SPACED = "\u0dff"
"""The last letter of the scripts that are written with spaces, but for Korean."""

ARTICLES = ("وال", "بال", "ال", "و", "ب", "ل")
"""What Arabic writes before a word without a space."""


class Lexicon(NamedTuple):
    """The entries of the lexicon, each with the numbers of its concepts."""

    names: tuple[str, ...]
    exact: dict[str, tuple[int, ...]]
    stems: dict[str, tuple[int, ...]]
    skeletons: dict[str, tuple[int, ...]]
    """What is left of words that are known without their vowels, too."""
    runs: list[tuple[str, tuple[int, ...]]]
    """Entries of scripts without spaces, found anywhere in a run."""
    search: Any
    """Finds those entries in a run, the longest at each place; by their numbers in `runs`."""
    phrases: dict[str, dict[str, list[tuple[list[str], int]]]]
    """By their first word and their second: the words that follow, and the concept."""


@cache
def lexicon() -> Lexicon:
    """The lexicon, read at first use."""
    return parse(files("broker.guardrails").joinpath("data/concepts.txt").read_text("utf-8"))


def parse(source: str) -> Lexicon:
    """Read the lexicon's text form."""
    from ahocorasick_rs import AhoCorasick, MatchKind

    names: list[str] = []
    exact: dict[str, set[int]] = {}
    stems: dict[str, set[int]] = {}
    skeletons: dict[str, set[int]] = {}
    runs: dict[str, set[int]] = {}
    phrases: dict[str, dict[str, list[tuple[list[str], int]]]] = {}
    for line in source.splitlines():
        if line.startswith("["):
            names.append(line.strip("[] "))
        elif line and not line.startswith("#"):
            concept = len(names) - 1
            for entry in line.split(":", 1)[1].split():
                word = fold(entry)
                if unspaced(word):
                    runs.setdefault(word, set()).add(concept)
                elif word.endswith("*"):
                    stems.setdefault(word[:-1], set()).add(concept)
                elif word.endswith("~"):
                    exact.setdefault(word[:-1], set()).add(concept)
                    skeletons.setdefault(skeleton(word[:-1]), set()).add(concept)
                elif "_" in word.strip("_"):
                    first, second, *rest = word.strip("_").split("_")
                    phrases.setdefault(first, {}).setdefault(second, []).append((rest, concept))
                else:
                    exact.setdefault(word.strip("_"), set()).add(concept)
    exact["\n"] = exact["."]
    search = AhoCorasick(list(runs), matchkind=MatchKind.LeftmostLongest)
    return Lexicon(
        tuple(names), _frozen(exact), _frozen(stems), _frozen(skeletons), list(_frozen(runs).items()), search, phrases
    )


def skeleton(word: str) -> str:
    """A word's first letter and its consonants, one for two: `prompt`, `prmpt` and `prommpt` have the same."""
    return REPEATED.sub(r"\1", word[0] + VOWELS.sub("", word[1:]))


def _frozen(table: dict[str, set[int]]) -> dict[str, tuple[int, ...]]:
    return {word: tuple(sorted(concepts)) for word, concepts in table.items()}


class Meaning(NamedTuple):
    """A text's words as the detector weighs them, after a mark of its beginning."""

    terms: list[str]
    """The words; of a script without spaces, the entries found and the letters between them."""
    concepts: list[tuple[int, ...]]
    """What each term means."""
    leet: int
    """How many were written in leetspeak."""


def meanings(words: list[str]) -> Meaning:
    """The terms of these words, and the concepts of each."""
    lex = lexicon()
    distinct = set(words)
    runs = {word for word in distinct if word > SPACED and unspaced(word)}
    known = {word: ((), False) if word in runs else _concepts(word) for word in distinct}
    disguised = {word for word, (_, leet) in known.items() if leet}
    found = [known[word][0] for word in words]
    starts = distinct & lex.phrases.keys()
    for place, word in enumerate(words) if starts else ():
        if word in starts and place + 1 < len(words):
            for rest, concept in lex.phrases[word].get(words[place + 1], ()):
                if words[place + 2 : place + 2 + len(rest)] == rest and concept not in found[place]:
                    found[place] = (*found[place], concept)
    terms, concepts = ["."], [lex.exact["."]]
    if not runs:
        terms += words
        concepts += found
    for word, of in zip(words, found, strict=True) if runs else ():
        if word in runs:
            _cut(word, lex, terms, concepts)
        else:
            terms.append(word)
            concepts.append(of)
    return Meaning(terms, concepts, sum(map(disguised.__contains__, words)))


@lru_cache(maxsize=50_000)
def _concepts(word: str) -> tuple[tuple[int, ...], bool]:
    """The concepts of a word; True when it had to be read as leetspeak."""
    found = _plain_concepts(word)
    if not found and not word.isalpha() and not word.isdigit():
        plain = word.translate(LEET)
        found = _plain_concepts(plain) or _plain_concepts(plain.replace("i", "l"))
        return found, bool(found)
    if not found and len(word) >= SHORTEST and word.isascii():
        found = _plain_concepts(DRAWN_OUT.sub(r"\1", word)) or lexicon().skeletons.get(skeleton(word), ())
    return found, False


def _plain_concepts(word: str) -> tuple[int, ...]:
    lex = lexicon()
    if found := lex.exact.get(word):
        return found
    for size in range(min(len(word), LONGEST_STEM), 1, -1):
        if found := lex.stems.get(word[:size]):
            return found
    for prefix in ARTICLES:
        if word.startswith(prefix) and (found := lex.exact.get(word[len(prefix) :])):
            return found
    return ()


def _cut(run: str, lex: Lexicon, terms: list[str], concepts: list[tuple[int, ...]]) -> None:
    """The longest entries from left to right; each letter between them is a word without a meaning."""
    place = 0
    for number, begin, end in lex.search.find_matches_as_indexes(run):
        if begin > place:
            terms += run[place:begin]
            concepts += [()] * (begin - place)
        entry, found = lex.runs[number]
        terms.append(entry)
        concepts.append(found)
        place = end
    terms += run[place:]
    concepts += [()] * (len(run) - place)
