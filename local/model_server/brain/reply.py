"""The answer to a chat request: it picks the skill, and keeps to the schema, the limit and the orders."""

import json
from collections.abc import Callable
from dataclasses import replace

from local.model_server.brain import judge
from local.model_server.brain.citing import Pages, asks_for_pages, cited, parted
from local.model_server.brain.prompt import ReadPrompt, understand
from local.model_server.brain.schema import Filler, quoted_names
from local.model_server.brain.skills import choose, fitting, keywords, mood, summary
from local.model_server.brain.text import sentences
from local.model_server.exchange import CHARS_PER_TOKEN, Answer, Ask, Json, Orders, tokens
from local.model_server.misbehaviour import CONTENT
from local.model_server.work import Work

_FILLER = "The quick brown fox jumps over the lazy dog. "
_UNFIT: tuple[object, ...] = ({"unexpected": "This does not fit the schema."}, {}, ["unfit"], "unfit", -1, None)
_NO_TRANSLATION = (
    "I am sorry, I cannot translate: I am a local model that answers only with words from the text it is given."
)
_NOTHING = "I can only answer from the text I am given, and it does not say."


def prose_only(ask: Ask, orders: Orders) -> Ask:
    """Drop the schema and the forced tool where the order is for an answer that is no JSON."""
    return replace(ask, schema=None, tool=None) if _content_order(orders) in ("echo", "long") else ask


def reply(ask: Ask, orders: Orders, work: Work) -> Answer:
    """Answer, as ordered if it is an order about content.

    Raises:
        Problem: no value can be made to the schema.
        TooMuch, TooLate, Gone: by `Work`.
    """
    schema = json.dumps(ask.tool.schema) if ask.tool else ""
    used = tokens(sum(len(turn.text) for turn in ask.turns) + len(schema))
    order = _content_order(orders)
    if order == "refuse":
        return Answer("", "refusal", used, 0)
    if order == "long":
        length = int(orders["long"])
        text = (_FILLER * (length // len(_FILLER) + 1))[:length]
        return Answer(text, "stop", used, tokens(length))
    text = _SAID.get(order, _answer)(ask, work)
    if ask.max_tokens is not None and tokens(len(text)) > ask.max_tokens:
        return Answer(text[: ask.max_tokens * CHARS_PER_TOKEN], "length", used, ask.max_tokens)
    return Answer(text, "stop", used, tokens(len(text)))


def _content_order(orders: Orders) -> str:
    return next((order for order in orders if order in CONTENT), "")


def _last(ask: Ask) -> str:
    return next((turn.text for turn in reversed(ask.turns) if turn.role == "user"), "")


def _schema(ask: Ask) -> Json | None:
    return ask.tool.schema if ask.tool else ask.schema


def _unfit(ask: Ask, work: Work) -> str:
    schema = _schema(ask)
    if not schema and not ask.tool:
        return "This is not the JSON that was asked for."
    return json.dumps(Filler(schema or {}, "", work).unfit(_UNFIT))


def _answer(ask: Ask, work: Work) -> str:
    prompt, pages = understand(ask.turns), Pages()
    if asks_for_pages(prompt.instruction):
        text, pages = parted(prompt.material)
        prompt = replace(prompt, material=text)
    schema = _schema(ask)
    if found := judge.kinds_of(schema or {}):
        return judge.verdict(found, "\n".join(turn.text for turn in ask.turns if turn.role == "system"), _last(ask))
    if schema is None:
        return str(cited(_PROSE[prompt.intent](prompt), pages))
    if not schema and not ask.tool:
        names = quoted_names(prompt.instruction) or ["summary", "keywords", "sentiment"]
        kinds = {"keywords": {"type": "array", "items": {"type": "string"}}}
        schema = {"type": "object", "properties": {name: kinds.get(name, {}) for name in names}}
    return json.dumps(cited(Filler(schema, prompt.material, work).fill(), pages), ensure_ascii=False)


def _sentiment(prompt: ReadPrompt) -> str:
    return choose(prompt.material, prompt.labels) if len(prompt.labels) > 1 else mood(prompt.material)


def _label(prompt: ReadPrompt) -> str:
    labels = prompt.labels
    return choose(prompt.material, labels) if labels else next(iter(keywords(prompt.material, 1)), "other")


def _extract(prompt: ReadPrompt) -> str:
    """Answer from the material and what was said before; a question does not answer itself."""
    known = [each for each in sentences(f"{prompt.material}\n{prompt.context}") if not each.endswith("?")]
    if prompt.material != prompt.instruction.partition("\n")[0]:
        asked = set(prompt.instruction.splitlines())
        known = [each for each in known if each not in asked]
    if found := fitting(prompt.instruction or prompt.material, known):
        return " ".join(found)
    return summary("\n".join(known), 2) or _NOTHING


_PROSE: dict[str, Callable[[ReadPrompt], str]] = {
    "translation": lambda prompt: _NO_TRANSLATION,
    "sentiment": _sentiment,
    "label": _label,
    "keywords": lambda prompt: ", ".join(keywords(prompt.material)),
    "summary": lambda prompt: summary(prompt.material),
    "answer": _extract,
}
_SAID: dict[str, Callable[[Ask, Work], str]] = {
    "empty": lambda ask, work: "",
    "echo": lambda ask, work: _last(ask),
    "notschema": _unfit,
}
