"""Rows of our own writing for the detector: two grammars in `sentences/`, expanded always alike."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

TEXTS = Path(__file__).parent / "sentences"
FILES = ("attacks.txt", "ordinary.txt", "personas.txt", "extraction.txt", "pressure.txt", "about.txt")
SLOT = re.compile(r"(?<!\{)\{(\w+)\}")
SOURCE = "own"
EACH = 12
"""How many texts are made of a template at most."""

HIDDEN = 0.15
"""The share of attacks that are written in a disguise."""


class Row(TypedDict):
    """One labelled text, as `python -m bench guardrails` and the trainer read them."""

    text: str
    label: int
    kind: str
    family: str
    source: str
    lang: str


def rows() -> Iterator[Row]:
    """The texts that the grammars make, without repeats."""
    chance = random.Random(20261130)  # noqa: S311 - the same rows each time, no secret
    seen: set[str] = set()
    for name in FILES:
        lines = [line for line in (TEXTS / name).read_text("utf-8").splitlines() if line and line[0] != "#"]
        slots = {
            slot.strip(): [choice.strip(" ") for choice in choices.split("|")]
            for slot, choices in (line.split(" = ", 1) for line in lines if re.match(r"\w+ = ", line))
        }
        label, family, lang = "", "", ""
        for line in lines:
            if line.startswith("["):
                label, family, lang = line.strip("[]").split()
            elif not re.match(r"\w+ = ", line):
                for _ in range(EACH if SLOT.search(line) else 1):
                    text = _fill(line, slots, chance)
                    if label == "attack" and lang == "en" and chance.random() < HIDDEN:
                        text = chance.choice(DISGUISES)(text, chance)
                    if text not in seen:
                        seen.add(text)
                        kind = "injection" if label == "attack" else "benign"
                        yield Row(
                            text=text,
                            label=int(label == "attack"),
                            kind=kind,
                            family=f"own-{family}",
                            source=SOURCE,
                            lang=lang,
                        )


def _leet(text: str, chance: random.Random) -> str:
    swaps = {"o": "0", "i": "1|!", "e": "3€", "a": "4@", "s": "5$", "t": "7+", "l": "1|", "b": "8"}
    return _swapped(text, swaps, chance)


def _lookalikes(text: str, chance: random.Random) -> str:
    swaps = {"o": "оο", "i": "іι", "e": "еε", "a": "аα", "s": "ѕ", "p": "р", "c": "сϲ", "y": "у", "x": "х", "r": "г"}
    return _swapped(text, swaps, chance)


def _swapped(text: str, swaps: dict[str, str], chance: random.Random) -> str:
    share = chance.uniform(0.3, 1)
    return "".join(
        chance.choice(swaps[letter]) if letter in swaps and chance.random() < share else letter for letter in text
    )


def _spaced(text: str, chance: random.Random) -> str:
    return "  ".join(chance.choice(" .-").join(word) for word in text.split())


def _escaped(text: str, chance: random.Random) -> str:
    return "".join("\\" + letter for letter in text)


def _wide(text: str, chance: random.Random) -> str:
    first = chance.choice((0xFF21, 0x1D400, 0x1D5D4))  # full width, bold, sans serif
    return "".join(chr(first + ord(each) - ord("A")) if "A" <= each <= "Z" else each for each in text.upper())


def _shouted(text: str, chance: random.Random) -> str:
    return text.upper()


def _invisible(text: str, chance: random.Random) -> str:
    return chance.choice("\u200b\u2060\u00ad").join(text)


DISGUISES = (_leet, _lookalikes, _leet, _lookalikes, _spaced, _escaped, _wide, _shouted, _invisible)


def _fill(template: str, slots: dict[str, list[str]], chance: random.Random) -> str:
    text = template
    while slot := SLOT.search(text):
        text = text[: slot.start()] + chance.choice(slots[slot[1]]) + text[slot.end() :]
    text = text.replace("{{", "{").replace("}}", "}").replace("\\n", "\n")
    return re.sub(r" +([.,;])", r"\1", re.sub(r" {2,}", " ", text)).strip()
