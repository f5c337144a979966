"""What a prompt asks for, and on which text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.model_server.brain.citing import asks_for_pages
from local.model_server.brain.text import READ_CHARS, sentences
from local.model_server.exchange import SpokenTurn

_FENCE = re.compile(r'(""")|(```)\w*|<(\w+)>')
_MARKED = re.compile(r"<(data_[0-9a-f]{12})>(.*)</\1>", re.DOTALL)
_INSTRUCTION_CHARS = 4_000
_SHORT = 400
# Where an instruction ends, surest first; the last is too common to be one without words that ask for something.
_MARKS = (
    (re.compile(r"\b(?:text|document|input|review|ticket|message|content|article|e?mail|comment):\s+", re.I), False),
    (re.compile(r":\s*\n"), True),
    (re.compile(r"\n\s*\n"), True),
    (re.compile(r":\s+"), False),
)
# The first that matches counts: "classify the sentiment" is about sentiment, "summarise in German" is no summary.
_INTENTS = {
    "translation": re.compile(r"\btranslat", re.I),
    "sentiment": re.compile(r"\bsentiment|\bpositive\b.{0,20}\bnegative\b", re.I),
    "label": re.compile(r"\bclassif|\bcategori[sz]e|\blabel|\b(?:which|what) (?:category|topic)|\bone of\b", re.I),
    "keywords": re.compile(r"\bkey ?words?\b|\bkey ?phrases?\b|\btags\b|\b(?:main|key) topics\b", re.I),
    "summary": re.compile(r"\bsummar|\btl;?dr\b|\bkey points\b|\bshorten\b|\bgist\b|\bin brief\b", re.I),
}
_ITEM = r"[\"'`]?[\w][\w &\-]{0,40}?[\"'`]?"
_LIST = re.compile(
    rf"(?:\b(?:as|into|one of|either|between|from)\b(?: (?:either|one of|(?:the )?following(?: \w+)?))?|[:(\[])"
    rf"\s*:?\s*({_ITEM}(?:\s*(?:,|/|\|)\s*(?:or |and )?{_ITEM})*\s*(?:,|/|\||,? or |,? and )\s*{_ITEM})\s*[)\].:?!\n]",
    re.I,
)
_PARTS = re.compile(r"\s*(?:,|/|\||\bor\b|\band\b)\s*(?:or\b|and\b)?\s*")


@dataclass(frozen=True)
class ReadPrompt:
    """``instruction`` is what to do, ``material`` what to do it to, ``context`` what was said before."""

    instruction: str
    material: str
    context: str

    @property
    def intent(self) -> str:
        """Name the task that the instruction asks for: a key of the table above, or ``answer``."""
        return next((name for name, pattern in _INTENTS.items() if pattern.search(self.instruction)), "answer")

    @property
    def labels(self) -> list[str]:
        """Give the labels that the instruction lists, if it does."""
        found = _LIST.search(f"{self.instruction[:_INSTRUCTION_CHARS]}\n")
        parts = _PARTS.split(found.group(1)) if found else []
        return [part.strip(" \"'`") for part in parts if part.strip(" \"'`")]


def understand(turns: Sequence[SpokenTurn]) -> ReadPrompt:
    """Part the conversation: texts are read up to their first 200,000 characters."""
    said = [turn.text[:READ_CHARS] for turn in turns if turn.role == "user"] or [""]
    system = "\n".join(turn.text[:READ_CHARS] for turn in turns if turn.role == "system")
    if asks_for_pages(system):
        # All that is between our markers, or all: a document's own fences, questions and colons part nothing.
        marked = _MARKED.search(said[-1])
        before, material = (said[-1][: marked.start()], marked[2].strip()) if marked else ("", said[-1])
        return ReadPrompt(f"{before}\n{system}".strip(), material, "\n".join(said[:-1]))
    instruction, material = _part(said[-1])
    if any(pattern.search(system) for pattern in _INTENTS.values()) and not _asks(instruction):
        instruction, material = system, said[-1]
    else:
        instruction = f"{instruction}\n{system}".strip()
    earlier = [turn.text[:READ_CHARS] for turn in turns if turn.role != "system" and turn.text[:READ_CHARS] != said[-1]]
    return ReadPrompt(instruction, material, "\n".join([*earlier, system]).strip())


def _asks(text: str) -> bool:
    return any(pattern.search(text) for pattern in _INTENTS.values())


def _part(text: str) -> tuple[str, str]:
    """Part a message by fences, by a last paragraph that asks, a colon or an empty line, or the sentence that asks."""
    if opened := _FENCE.search(text):
        closing = f"</{opened[3]}>" if opened[3] else opened[1] or opened[2]
        inside, closed, after = text[opened.end() :].partition(closing)
        if closed and inside.strip():
            return text[: opened.start()] + after, inside.strip()
    before, _, last = text.rstrip().rpartition("\n\n")
    if before and len(last) <= _SHORT and (_asks(last) or last.endswith("?")) and not _asks(before[:_SHORT]):
        return last, before
    for mark, alone in _MARKS:
        parts = mark.split(text, maxsplit=1)
        if len(parts) == 2 and len(parts[0]) <= _SHORT and parts[1].strip() and (alone or _asks(parts[0])):
            return parts[0], parts[1].strip()
    found = sentences(text)
    for end, rest in ((found[:1], found[1:]), (found[-1:], found[:-1])):
        if rest and len(end[0]) <= _SHORT and (_asks(end[0]) or end[0].endswith("?")):
            return end[0], " ".join(rest)
    return (text, text) if len(text) <= _SHORT else ("", text)
