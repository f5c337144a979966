"""What an engine is asked: the texts that are its check's business; to a judge they are shown in markers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from broker.guardrails.checks import BY_SOURCE
from broker.guardrails.engines.pictures import Part
from broker.guardrails.engines.tasks import PLACED
from broker.guardrails.markers import unforgeable
from broker.guardrails.policy import JudgePrompt, Rule, Stage
from broker.guardrails.walk import Seen, Source

TYPES = {("type", "text"), ("type", "image_url")}
"""What the contract calls the parts of a message."""

BETWEEN = "\n\n"
"""Between two texts that are read as one."""

VERDICT_TOKENS = 300
"""That a judge's verdict may have."""

FRAME_TOKENS = 1_000
"""That a judge's instructions have at most, in any tokenizer, beside topics."""

TOPIC_TOKENS = 100
"""That one topic has at most."""

PROMPT_TOKENS = 4_000
"""That the operators' own words for a judge have at most: so many bytes, of which each token has one."""

MARKER_TOKENS = 50
"""That the markers around one passage have at most."""

OVERLAP = 300
"""Characters that two parts share."""

MOST_PARTS = 8
"""Questions that a document is cut into at most, where it is longer than its judge's window."""


class Question(NamedTuple):
    """What one engine is asked of one stage."""

    engine: str
    """The model's id."""
    check: str
    topics: tuple[str, ...] = ()
    prompt: JudgePrompt | None = None
    pictures: bool = False
    """Pictures are shown too."""

    @property
    def name(self) -> str:
        """Tells it from the others of its stage."""
        return question_name(self.engine, self.check, self.prompt, self.pictures)

    @property
    def frame_tokens(self) -> int:
        """That a judge's instructions have at most."""
        return FRAME_TOKENS + TOPIC_TOKENS * len(self.topics) + (PROMPT_TOKENS if self.prompt else 0)


class Wording(NamedTuple):
    """The operators' own words for a judge."""

    instructions: str
    """What to look for; empty for the broker's own words."""
    before: str
    """What stands before the material, and after it."""
    after: str


OURS = Wording("", "", "")
"""Without any of theirs."""


def question_name(engine: str, check: str, prompt: JudgePrompt | None = None, pictures: bool = False) -> str:
    """The name of a question; none begins like another and a slash."""
    return f"{engine}/{check}" + (f":{prompt}" if prompt else "") + ("+pictures" if pictures else "")


class Passage(NamedTuple):
    """Texts that follow each other and are somebody's, read as one."""

    source: Source
    text: str
    parts: tuple[tuple[int, Seen], ...]
    """Where in it each text begins."""


def questions_of(rules: Iterable[Rule]) -> list[Question]:
    """The questions of rules; of rules about topics that are asked alike of the same engine, one with all topics."""
    topics: dict[tuple[str, str, JudgePrompt | None, bool], dict[str, None]] = {}
    for rule in rules:
        for engine in rule.models:
            topics.setdefault((engine, rule.check, rule.prompt, rule.pictures), {}).update(dict.fromkeys(rule.topics))
    return [Question(*asked[:2], tuple(found), *asked[2:]) for asked, found in topics.items()]


def passages(check: str, texts: Iterable[Seen]) -> list[Passage]:
    """What an engine reads for a check: all but what stands there twice; of some checks, not the operator's words.

    The contract's own words are left out, so that an answer of pictures alone has no text.

    A word that is cut by the end of a part of a message is read as a whole, too, with what is around it; but for
    personal data, which is taken out of each part by its places.
    """
    by_source = check in BY_SOURCE
    read = [
        seen
        for seen in texts
        if (seen.seam is None or (check not in PLACED and _joins_a_word(seen)))
        and (by_source or not seen.again)
        and not (by_source and seen.source in ("operator", "model"))
        and seen.text.strip()
        and seen.path.name != "role"
        and not _is_ours(seen)
        and (seen.path.name, seen.text) not in TYPES
    ]
    found: list[Passage] = []
    for source, group in groupby(read, key=lambda seen: seen.source):
        parts: list[tuple[int, Seen]] = []
        length = 0
        for seen in group:
            parts.append((length, seen))
            length += len(seen.text) + len(BETWEEN)
        found.append(Passage(source, BETWEEN.join(seen.text for _, seen in parts), tuple(parts)))
    return found


def _is_ours(seen: Seen) -> bool:
    """True for what an answer tells of its files, and for the names of its own fields: they are the broker's words."""
    steps = seen.path.steps()
    return steps[:2] == ["output", "files"] or (seen.is_key and steps == ["output"])


def has_parts(request: Mapping[str, Any]) -> bool:
    """True where a message of a request has several texts, so that engines may read some of it twice."""
    contents = [message.get("content") for message in request.get("input", {}).get("messages", ())]
    return any(sum("text" in part for part in content) > 1 for content in contents if isinstance(content, list))


def _joins_a_word(seen: Seen) -> bool:
    """True for what stands around the ends of parts of a message, where a word may go on over one of them."""
    if seen.seam != "parts" or seen.path.name != "content":
        return False
    ends = [piece.begin for piece in seen.pieces if piece.begin > 0]
    return any(seen.text[end - 1].isalnum() and seen.text[end].isalnum() for end in ends)


def one(given: Sequence[Passage]) -> Passage:
    """All passages as one, for an engine to which it does not matter whose words they are."""
    parts, length = [], 0
    for passage in given:
        parts += [(length + begin, seen) for begin, seen in passage.parts]
        length += len(passage.text) + len(BETWEEN)
    return Passage("user", BETWEEN.join(passage.text for passage in given), tuple(parts))


def cut(given: Sequence[Passage], parts: int) -> list[list[Passage]]:
    """The passages in so many parts of about the same length; a passage that is cut is whole again across the cut.

    Neighbours share a few hundred characters, so that nothing hides by standing where one ends.
    """
    whole = sum(len(passage.text) for passage in given)
    room = -(-whole // parts)
    found: list[list[Passage]] = [[]]
    left = room
    for passage in given:
        begin = 0
        while begin < len(passage.text):
            end = min(len(passage.text), begin + left)
            found[-1].append(passage._replace(text=passage.text[max(begin - OVERLAP, 0) : end], parts=()))
            left -= end - begin
            begin = end
            if left == 0 and len(found) < parts:
                found.append([])
                left = room
    return [part for part in found if part]


def judge_request(
    stage: Stage, question: Question, given: Sequence[Passage], own: Wording = OURS, pictures: Sequence[Part] = ()
) -> dict[str, Any]:
    """A chat request for the verdict, as stored requests are; `verdicts.judged` reads the answer.

    The material stands in markers that it cannot forge, apart from the instructions. Where the operators have words of
    their `own`, what markers mean and what a verdict looks like is said beside them. `pictures` follow the texts.
    """
    data = judges()
    asked = data["checks"][question.check]
    mark = f"piece_{unforgeable(''.join(passage.text for passage in given), question.name)}"
    numbered = "".join(f"\n{number}. {topic}" for number, topic in enumerate(question.topics, 1))
    kinds = data["kinds"].format(kinds=", ".join(asked["kinds"])) if asked["kinds"] else data["numbers"]
    looked_for = f"{own.instructions}\n{kinds}" if own.instructions else asked["question"]
    frame = data["frame"].format(what=data["what"][stage], mark=mark, question=looked_for + numbered)
    said = "\n".join(f'<{mark} from="{passage.source}">{passage.text}</{mark}>' for passage in given)
    frame += data["pictures"] if pictures else ""
    user: Any = own.before + said + own.after
    if pictures:
        user = [{"type": "text", "text": user}, *pictures]
    return {
        "task": "chat",
        "input": {"messages": [{"role": "system", "content": frame}, {"role": "user", "content": user}]},
        "parameters": {"temperature": 0, "max_output_tokens": VERDICT_TOKENS},
        "output_schema": _schema(kinds_of(question)),
    }


def service_request(task: str, given: Sequence[Passage], stage: Stage) -> dict[str, Any]:
    """A request to a service that judges a text (`moderate`), or finds personal data in it (`entities`)."""
    text = one(given).text
    if task == "entities":
        return {"task": task, "input": {"text": text, "features": ["pii"]}, "parameters": {}}
    return {"task": task, "input": {"text": text, "stage": stage}, "parameters": {}}


def picture_request(file: Mapping[str, str], stage: Stage) -> dict[str, Any]:
    """The same for one picture (`pictures.file_of`), to a service that moderates."""
    return {"task": "moderate", "input": {"file": dict(file), "stage": stage}, "parameters": {}}


def kinds_of(question: Question) -> list[str]:
    """What a judge may find."""
    if question.topics:
        return [str(number) for number, _ in enumerate(question.topics, 1)]
    kinds: list[str] = judges()["checks"][question.check]["kinds"]
    return kinds


def _schema(kinds: Sequence[str]) -> dict[str, Any]:
    find = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": list(kinds)},
            "score": {"type": "integer", "minimum": 0, "maximum": 100},
        },
        "required": ["kind", "score"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"finds": {"type": "array", "items": find}},
        "required": ["finds"],
        "additionalProperties": False,
    }


@cache
def judges() -> Mapping[str, Any]:
    """The judge's instructions, with their version."""
    data: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "judges.json").read_text())
    return data
