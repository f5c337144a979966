"""CPU time that checking a text takes, by what is in it: of each step that all checks share, and of each check.

Texts are made from a fixed seed, of words that come again as they do in texts. The machine's speed is told by a loop
beside them: runs are compared by the times that a step takes longer than the loop, not by milliseconds.
"""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from broker.guardrails.checks import check_of
from broker.guardrails.checks.base import About
from broker.guardrails.decoding import decoded
from broker.guardrails.normal import normalised
from broker.guardrails.path import Path
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import DEFAULT, Policy, Rule
from broker.guardrails.walk import Seen, input_texts
from broker.guardrails.work import Work

from bench.tables import Cell, keep, show, table
from bench.texts import FOLDER, texts

MEGABYTE = 1_000_000

CHECKS = ("hidden_text", "secrets", "card_numbers", "personal_data", "injection")

DETECTOR = "injection"

SEED = 7


def made(kind: str, size: int = MEGABYTE) -> str:
    """So many characters of a kind of text, always the same.

    Raises:
        KeyError: there is no such kind.
    """
    pick = random.Random(f"{SEED}{kind}")  # noqa: S311 - a text, no secret
    parts: list[str] = []
    length = 0
    for part in KINDS[kind](pick):
        parts.append(part)
        length += len(part)
        if length >= size:
            break
    return "".join(parts)[:size]


def _shuffled(text: str, between: str, pick: random.Random) -> Iterator[str]:
    """The pieces of a text in ever new orders, with numbers of their own among them."""
    pieces = [piece for piece in re.split(f"(?<=[{between}])", text) if piece.strip()]
    while True:
        yield from pick.sample(pieces, len(pieces))
        yield f"{pick.choice(pieces).strip()} {pick.randrange(10_000)} "


def _words() -> list[str]:
    return sorted({word for word in _sentences("ordinary").split() if word.isascii() and word.isalpha()})


def _sentences(name: str) -> str:
    return FOLDER.with_name("sentences").joinpath(f"{name}.txt").read_text(encoding="utf-8")


def _rows(row: Callable[[int, random.Random, list[str]], str], pick: random.Random) -> Iterator[str]:
    words, number = _words(), 0
    while True:
        number += 1
        yield row(number, pick, words)


def _object(number: int, pick: random.Random, words: list[str]) -> str:
    note = " ".join(pick.choices(words, k=8))
    at = f"2026-{pick.randrange(1, 13):02}-{pick.randrange(1, 29):02}T10:{pick.randrange(60):02}:00Z"
    row = {"id": number, "name": pick.choice(words), "price": pick.randrange(10**5) / 100, "at": at, "note": note}
    return json.dumps(row | {"ref": f"{pick.getrandbits(64):016x}"}) + ",\n"


def _line_of_log(number: int, pick: random.Random, words: list[str]) -> str:
    said, address = " ".join(pick.choices(words, k=7)), ".".join(str(pick.randrange(1, 254)) for _ in range(4))
    return f"2026-03-04 10:{pick.randrange(60):02}:{pick.randrange(60):02},120 INFO {said} in {number} ms, {address}\n"


def _contact(number: int, pick: random.Random, words: list[str]) -> str:
    name = f"{pick.choice(words).title()},{pick.choice(words)}{number}@mail.example.org"
    return f"{number},{name},+49 30 {pick.randrange(10**6, 10**8)},{pick.randrange(10**6) / 100:.2f}\n"


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "prose": lambda pick: _shuffled(texts()["prose"], ".\n", pick),
    "code": lambda pick: _shuffled(texts()["code"], "\n", pick),
    "json": partial(_rows, _object),
    "log": partial(_rows, _line_of_log),
    "contacts": partial(_rows, _contact),
    "german": lambda pick: _shuffled(_sentences("german"), ".…\n", pick),
    "russian": lambda pick: _shuffled(texts()["russian"], ".\n", pick),
    "japanese": lambda pick: _shuffled(texts()["japanese"], "。、\n", pick),
    "chinese": lambda pick: _shuffled(_sentences("chinese"), "。\n", pick),
}


def measure(text: str, rounds: int = 3) -> dict[str, float]:
    """The least CPU time, in milliseconds, that each step and check took for a text, and the default as a whole.

    The text ends otherwise in each round and for each step: what is kept of one is of no use to the next.
    """
    found: dict[str, float] = {}
    for number in range(rounds):
        for place, name in enumerate(_steps("")):
            took = _time(_steps(f"{text} {number}.{place}")[name])
            found[name] = min(took, found.get(name, took))
    return found


def _steps(text: str) -> dict[str, Callable[[], Any]]:
    request = {"input": {"messages": [{"role": "user", "content": text}]}}
    normal = normalised(f"{text}.").text
    others = Policy("others", rules=tuple(rule for rule in DEFAULT.rules if rule.check != DETECTOR))
    return {
        "normal form": lambda: normalised(text),
        "decoding": lambda: list(decoded(normal)),
        **{name: partial(_find, name, text, normal) for name in CHECKS},
        "default but injection": lambda: inspect("input", input_texts(request), (others,)),
        "default": lambda: inspect("input", input_texts(request), (DEFAULT,)),
    }


def _find(name: str, text: str, normal: str) -> None:
    check = check_of(name)
    about = About(Rule(name), Seen(Path(None, "input"), text), work=Work())
    list(check.find(text if check.reads_original else normal, about))


def _time(step: Callable[[], Any]) -> float:
    began = time.process_time()
    step()
    return (time.process_time() - began) * 1000


def _loop() -> None:
    sum(number * 7 % 11 for number in range(100_000))


def run(size: int = MEGABYTE) -> None:
    """Measure all kinds of text, for so many characters each; print and keep."""
    measured, heads = {}, ["text"]
    for kind in KINDS:
        measure(made(kind, 2000), 1)  # tables are loaded, patterns compiled
        measured[kind] = measure(made(kind, size))
        heads = ["text", *measured[kind]]
    rows: list[list[Cell]] = [[kind, *told.values()] for kind, told in measured.items()]
    show(table(f"CPU ms for {size:,} characters", heads, rows))
    loop = min(_time(_loop) for _ in range(9))
    show(f"\nA loop of plain Python beside it (100,000 numbers) took {loop:.2f} ms.")
    keep("checking", {"characters": size, "ms": measured, "loop_ms": loop})
