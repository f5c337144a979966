"""Fitting turns into a window, as pure functions of messages (in the form that OpenAI's clients send).

A turn is a user's message and all that follows it up to the next one, so what is left always begins with a user, as
some providers insist. Tool calls stay with their results, wherever these are. Messages of `system` and `developer`, the
last user's message and the last step of the answer to it are never left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.context.pairs import pairs
from broker.errors import ContextExceeded
from broker.guardrails.untrusted import Marking, for_counting, marked
from broker.token_estimates import estimate_input, estimate_message

Message = Mapping[str, Any]
Count = Callable[[Message], int]
"""Tokens of one message."""

SUMMARY_TOKENS = 512
"""Room that a summary is given, and the most that is asked for."""

SHORTEST_TEXT = 200
"""Characters that are left of a text at least, however long it was."""

LEFT_OUT = "\n[… {} characters left out …]\n"

MARK = 40
"""Characters of `LEFT_OUT`, at most; a cut takes out twice as many, so each makes the text shorter."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fits. `dropped` counts the messages that were left out or wait to be summarised."""

    messages: list[Message]
    dropped: int = 0
    to_summarise: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FittedRequest:
    """A request whose turns fit, what was done for it (None for nothing), and what is to be summarised first."""

    request: dict[str, Any]
    done: dict[str, Any] | None = None
    """`{"strategy", "dropped_turns", "tokens_before", "tokens_after"}`, as the job shows it."""
    to_summarise: list[Message] = field(default_factory=list)


def fit_request(request: Mapping[str, Any], window: int, output_reserve: int, family: str | None) -> FittedRequest:
    """Fit a stored chat request into a model's window by its own `context.strategy`.

    Args:
        request: as stored, with the turns of its conversation in it.
        window: the model's, in tokens.
        output_reserve: tokens kept for the answer.
        family: whose tokens (`token_estimates.family_of`).

    Raises:
        ContextExceeded: it does not fit, and the strategy may not or cannot help.
    """
    before = estimate_input(marked(request), family)
    if before + output_reserve <= window:
        return FittedRequest(dict(request))
    given = dict(request.get("input", {}))
    messages: list[Message] = list(given.pop("messages", ()))
    if isinstance(given.get("text"), str):
        messages.append({"role": "user", "content": given.pop("text")})
    strategy = request.get("context", {}).get("strategy", "error")
    count = partial(message_tokens, way=request.get("marking"), family=family)
    aside = estimate_input({**request, "input": given}, family)
    if "marking" in request:  # what the model is told of its markers
        aside = max(aside, before - sum(map(count, messages)))
    fitted = fit(messages, window - aside, output_reserve, strategy, count)
    changed = {**request, "input": given | {"messages": fitted.messages}}
    after = estimate_input(marked(changed), family) + (SUMMARY_TOKENS if fitted.to_summarise else 0)
    tokens = {"tokens_before": before, "tokens_after": after}
    done = {"strategy": strategy, "dropped_turns": fitted.dropped, **tokens}
    return FittedRequest(changed, done, fitted.to_summarise)


def message_tokens(message: Message, way: Marking | None, family: str | None) -> int:
    """Tokens of a message as a model gets it, by the `marking` of its request."""
    return estimate_message(for_counting(message, way), family)


def fit(messages: Sequence[Message], window: int, output_reserve: int, strategy: str, count: Count) -> Fitted:
    """Fit messages into a window.

    Args:
        messages: in order.
        window: tokens, for all of them and the answer.
        output_reserve: tokens of it that are the answer's.
        strategy: `error`, `truncate_oldest`, `truncate_middle` or `summarize`.
        count: tokens of a message.

    Raises:
        ContextExceeded: what may not be left out is too long by itself, or the strategy is `error`.
    """
    sizes = [count(message) for message in messages]
    room = window - output_reserve
    if sum(sizes) <= room:
        return Fitted(list(messages))
    give_up = ContextExceeded(
        f"About {sum(sizes)} tokens of messages do not fit the window's {max(room, 0)} (strategy {strategy})."
    )
    shorten = STRATEGIES.get(strategy)
    if shorten is None or room <= 0:
        raise give_up
    fitted = shorten(list(messages), sizes, room, count)
    if fitted is None:
        raise give_up
    return fitted


def _oldest(messages: list[Message], sizes: list[int], room: int, count: Count) -> Fitted | None:
    return _kept(messages, _drop(droppable(messages), sizes, room), sizes, room)


def _middle(messages: list[Message], sizes: list[int], room: int, count: Count) -> Fitted | None:
    groups = droppable(messages)
    inward = sorted(range(len(groups)), key=lambda place: (abs(2 * place - len(groups) + 1), -place))
    gone = _drop([groups[place] for place in inward], sizes, room)
    left = [message for place, message in enumerate(messages) if place not in gone]
    cut = _cut(left, room, count)
    return None if cut is None else Fitted(cut, len(gone))


def _summarize(messages: list[Message], sizes: list[int], room: int, count: Count) -> Fitted | None:
    gone = _drop(droppable(messages), sizes, room - SUMMARY_TOKENS)
    kept = _kept(messages, gone, sizes, room - SUMMARY_TOKENS)
    return kept and Fitted(kept.messages, kept.dropped, [messages[place] for place in sorted(gone)])


STRATEGIES: dict[str, Callable[[list[Message], list[int], int, Count], Fitted | None]] = {
    "truncate_oldest": _oldest,
    "truncate_middle": _middle,
    "summarize": _summarize,
}
"""All but `error`; None where it does not help."""


def droppable(messages: Sequence[Message]) -> list[list[int]]:
    """The groups of messages that may be left out, oldest first, as positions; each goes whole or not at all."""
    talk = [place for place, message in enumerate(messages) if message["role"] not in ("system", "developer")]
    users = [place for place in talk if messages[place]["role"] == "user"]
    last = users[-1] if users else None
    earlier = [place for place in talk if last is not None and place < last]
    steps = [place for place in talk if last is None or place > last]
    turns = _groups(earlier, lambda place: messages[place]["role"] == "user")
    groups = turns + _groups(steps, lambda place: messages[place]["role"] == "assistant")[:-1]
    return _whole(groups, messages)


def _whole(groups: list[list[int]], messages: Sequence[Message]) -> list[list[int]]:
    """The groups with those in one that hold a call and its result; without those that what stays belongs to."""
    home = {place: number for number, group in enumerate(groups) for place in group}
    last = list(range(len(groups)))
    """By a group's number, the last that goes with it."""
    kept = len(groups)
    for call, result in pairs(messages):
        if call in home:
            last[home[call]] = max(last[home[call]], home.get(result, kept))
    whole: list[list[int]] = []
    number = 0
    while number < kept:
        end, at = last[number], number
        while at < min(end, kept - 1):
            at += 1
            end = max(end, last[at])
        if end < kept:
            whole.append([place for group in groups[number : end + 1] for place in group])
        number = end + 1
    return whole


def _groups(places: Iterable[int], begins: Callable[[int], bool]) -> list[list[int]]:
    groups: list[list[int]] = []
    for place in places:
        if begins(place) or not groups:
            groups.append([])
        groups[-1].append(place)
    return groups


def _drop(groups: Iterable[list[int]], sizes: list[int], room: int) -> set[int]:
    """The positions of as many groups, in their order, as have to go."""
    gone: set[int] = set()
    left = sum(sizes)
    for group in groups:
        if left <= room:
            break
        gone.update(group)
        left -= sum(sizes[place] for place in group)
    return gone


def _kept(messages: list[Message], gone: set[int], sizes: list[int], room: int) -> Fitted | None:
    left = [place for place in range(len(messages)) if place not in gone]
    if sum(sizes[place] for place in left) > room:
        return None
    return Fitted([messages[place] for place in left], len(gone))


def _cut(messages: list[Message], room: int, count: Count) -> list[Message] | None:
    """Cut the middle out of the longest text, and of the next longest, until all fits."""
    messages, sizes = list(messages), [count(message) for message in messages]
    while (over := sum(sizes) - room) > 0:
        texts = [(len(text), place, part) for place, message in enumerate(messages) for part, text in _texts(message)]
        longest, place, part = max(texts, default=(0, 0, None), key=lambda each: each[0])
        if longest < SHORTEST_TEXT + 2 * MARK:
            return None
        share = 1 - over / sizes[place]
        keep = max(SHORTEST_TEXT, min(longest - 2 * MARK, int(longest * share) - MARK))
        messages[place] = _shortened(messages[place], part, keep)
        sizes[place] = count(messages[place])
    return messages


def _texts(message: Message) -> Iterable[tuple[int | None, str]]:
    """The texts of a message that may be cut, with their place among its parts."""
    content = message.get("content")
    if message["role"] in ("system", "developer"):
        return
    if isinstance(content, str):
        yield None, content
    for part, each in enumerate(content if isinstance(content, list) else ()):
        if isinstance(each.get("text"), str):
            yield part, each["text"]


def _shortened(message: Message, part: int | None, keep: int) -> Message:
    if part is None:
        return {**message, "content": _without_middle(message["content"], keep)}
    parts = list(message["content"])
    parts[part] = {**parts[part], "text": _without_middle(parts[part]["text"], keep)}
    return {**message, "content": parts}


def _without_middle(text: str, keep: int) -> str:
    head, tail = keep - keep // 2, keep // 2
    return text[:head] + LEFT_OUT.format(len(text) - keep) + text[len(text) - tail :]
