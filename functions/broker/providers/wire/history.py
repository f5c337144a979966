"""A conversation as a dialect takes it, whichever provider's answers it holds.

Fallbacks, aliases and `conversation_id` mix providers by design, and jobs end between a tool's call and its result. So
each adapter asks here for the turns that it writes; what it may be asked to write is said by its row of `dialects`.

What is mended, whatever the dialect: ids of calls fit and are unique, results come right after their calls and all of
them, empty turns are left out, and so are blank texts. A call without a result gets one that says so. A result without
a call becomes a user's text: the model has to know what it was told, and a call that nobody made would be an invention.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from broker.errors import Rejected
from broker.providers.wire import chat as chats
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Blob, Call
from broker.providers.wire.dialects import Dialect
from broker.providers.wire.marks import mark_of, marked, of_part
from broker.providers.wire.pairing import Identities, Uses
from broker.providers.wire.picture_parts import Link, inlined, parts
from broker.providers.wire.reasoning import Thought, returned
from broker.providers.wire.tools import Toolbox

Json = dict[str, Any]
Part = str | Blob | Link | Json
"""What a message holds; one in OpenAI's form only where the dialect `passes_on`."""

OPENING = "Begin."
"""Said by the user where a conversation begins with nobody to answer to: several services take no other."""
GO_ON = "Go on."
"""Said by the user where the model had the last word, and the dialect or the model needs somebody to answer to."""
UNDERSTOOD = "Understood."
"""Said by the model between its tools' results and a user who did not wait for its answer."""
NO_RESULT = "(There is no result: the call was not carried out.)"
NOTHING = "(no output)"
ORPHAN = "(Result of a tool's call that is not part of this conversation.)"

INSTRUCTIONS = ("system", "developer")


@dataclass(slots=True)
class Result:
    """What a tool gave: to which call, and the dialect's name of the tool."""

    id: str
    name: str
    parts: list[Part]
    place: int | None = None
    """Of the message, among the request's."""
    mark: str = ""
    """As a part's (`wire.marks`)."""


@dataclass(slots=True)
class Use:
    """A call of a tool that the model made: id and name as the dialect takes them, arguments as object and as text."""

    id: str
    name: str
    arguments: Json
    text: str
    signature: str | None = None
    result: Result | None = None
    mark: str = ""


@dataclass(slots=True)
class Spoken:
    """What one side says: `results` before `parts`, and `uses` after them."""

    role: str
    parts: list[Part] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    thoughts: list[Thought] = field(default_factory=list)
    """What the model thought before it said this, where the dialect takes it back."""
    speaker: str | None = None
    place: int | None = None
    """Of the message, among the request's; of its results each has its own."""

    def is_empty(self) -> bool:
        """True where nothing is said."""
        return not (self.parts or self.uses or self.results)


@dataclass(slots=True)
class History:
    """The instructions that stand apart, the turns in order, and the tools."""

    system: list[str]
    turns: list[Spoken]
    toolbox: Toolbox

    def in_place(self, call: Call) -> bool:
        """Whether each of the request's messages and tools is sent in its place, so that an error's place is theirs.

        For dialects in which each result is a message before the rest of its turn.
        """
        sent: list[int | None] = []
        for turn in self.turns:
            sent += [each.place for each in turn.results]
            sent += [turn.place] if turn.parts or turn.uses else []
        given = len(chats.messages(call))
        return sent[:given] == list(range(given)) and len(self.toolbox.tools) == len(call.input.get("tools") or ())


def prepare(call: Call, dialect: Dialect, *, links: bool = False, said: str | None = None) -> History:
    """Make a call's conversation fit.

    Args:
        call: with its messages in OpenAI's form.
        dialect: the row that it has to fit.
        links: True where the provider fetches `https` pictures itself.
        said: what else the model is told: by the user, last of all, in OpenAI's form; else with the instructions.

    Raises:
        InvalidRequest: a message or a tool is in no form that anybody takes; `param` is its place.
        Rejected: it holds what this dialect has no place for.
    """
    toolbox = Toolbox(call, dialect)
    turns = list(_completed(_read(call, dialect, toolbox, links), dialect))
    instructions = [each for each in (said, toolbox.said) if each]
    if dialect.passes_on:
        turns += [Spoken("user", [each]) for each in instructions]
        instructions = []
    _without_tools(turns, toolbox, dialect)
    system = instructions
    no_system = cannot(call.options, "system")
    places = [turn.place for turn in turns if turn.role in INSTRUCTIONS]
    if dialect.system != "anywhere" or no_system:
        system = _set_apart(turns) + instructions
    if system and (no_system or dialect.system == "first"):
        one = places[0] if len(places) == 1 else None
        turns.insert(0, Spoken("user" if no_system else "system", ["\n\n".join(system)], place=one))
        system = []
    return History(system, _ordered(turns, call, dialect), toolbox)


def _read(call: Call, dialect: Dialect, toolbox: Toolbox, links: bool) -> list[Spoken]:
    """The turns as they were given, but for results, which lie with their calls."""
    turns: list[Spoken] = []
    open_uses, identities = Uses[Use](), Identities(dialect)
    for place, message in enumerate(chats.messages(call)):
        where, role = f"input.messages.{place}", message["role"]
        found = _parts(message, call, dialect, where, links)
        if role == "tool":
            raw = message.get("tool_call_id")
            use = open_uses.answered(raw) if isinstance(raw, str) else None
            if use is None:
                turns.append(Spoken("user", [ORPHAN, *found], place=place))
            else:
                mark = mark_of(message) or next((of_part(each) for each in reversed(found) if of_part(each)), "")
                use.result = Result(use.id, use.name, found, place, mark)
            continue
        if role in INSTRUCTIONS:
            role = role if dialect.developer else "system"
        if role != "user" and not all(isinstance(each, str) for each in found):
            fault = "Pictures are the user's: instructions and answers take none."
            raise Rejected(fault, code="unsupported_content", param=f"{where}.content")
        thoughts = returned(message.get("reasoning"), dialect.thoughts) if role == "assistant" else []
        turn = Spoken(role, found, thoughts=thoughts, speaker=message.get("name"), place=place)
        open_uses.turn()
        for given_use, (raw, name, arguments, signature) in zip(
            message.get("tool_calls") or (), chats.used_tools(message, place), strict=True
        ):
            given, text = toolbox.arguments(name, arguments)
            use = Use(identities.made(raw), toolbox.theirs(name), given, text, signature, mark=mark_of(given_use))
            open_uses.add(raw, use)
            turn.uses.append(use)
        _mark_end(turn, mark_of(message))
        turns.append(turn)
    return turns


def _mark_end(turn: Spoken, mark: str) -> None:
    """Put a message's own mark behind the last of it."""
    if turn.uses:
        turn.uses[-1].mark = turn.uses[-1].mark or mark
    elif turn.parts:
        turn.parts[-1] = marked(turn.parts[-1], mark)


def _parts(message: Json, call: Call, dialect: Dialect, where: str, links: bool) -> list[Part]:
    """A message's content without blank texts; what the model refused to say is what it said."""
    content = message.get("content")
    if message["role"] == "assistant":
        if isinstance(content, list):
            content = [_spoken(each) for each in content]
        content = content or message.get("refusal")
    if not dialect.passes_on or isinstance(content, str):
        found = parts(content, call.media, where, links=links)
        known = dialect.pictures
        if known and not all(each.media_type in known for each in found if isinstance(each, Blob)):
            fault = f"The model takes {', '.join(sorted(known))}."
            raise Rejected(fault, code="unsupported_content", param=f"{where}.content")
        return list(found)
    return [
        each["text"] if _is_text(each) else dict(inlined(each, call.media, where, links=links))
        for each in content or ()
        if not (_is_text(each) and not each["text"].strip())
    ]


def _spoken(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "refusal" and isinstance(part.get("refusal"), str):
        return {"type": "text", "text": part["refusal"]}
    return part


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _completed(turns: Iterable[Spoken], dialect: Dialect) -> Iterator[Spoken]:
    """Each turn that says something, and after each turn with calls their results."""
    for turn in turns:
        if turn.is_empty():
            continue
        yield turn
        if not turn.uses:
            continue
        results = [use.result or Result(use.id, use.name, [NO_RESULT]) for use in turn.uses]
        seen: list[Part] = []
        for result in results:
            if not dialect.sees_results:
                pictures = [each for each in result.parts if not isinstance(each, str)]
                result.parts = [each for each in result.parts if isinstance(each, str)]
                seen += [f"(What {result.name} gave beside text.)", *pictures] if pictures else []
            result.parts = result.parts or [NOTHING]
        yield Spoken("user", results=results)
        if seen:
            yield Spoken("user", seen)


def _without_tools(turns: list[Spoken], toolbox: Toolbox, dialect: Dialect) -> None:
    """See `Dialect.undeclared`."""
    if toolbox.tools or dialect.undeclared == "kept":
        return
    used = [use for turn in turns for use in turn.uses]
    if used and dialect.undeclared == "declared":
        toolbox.declare(toolbox.own(use.name) for use in used)
        return
    for turn in turns:
        turn.parts += [f"(calls {use.name} with {use.text})" for use in turn.uses]
        results: list[Part] = []
        for result in turn.results:
            results += [f"(result of {result.name}:)", *result.parts]
        turn.parts = results + turn.parts
        turn.uses, turn.results = [], []


def _set_apart(turns: list[Spoken]) -> list[str]:
    """The instructions, taken out of the turns."""
    instructions = [each for turn in turns if turn.role in INSTRUCTIONS for each in turn.parts if isinstance(each, str)]
    turns[:] = [turn for turn in turns if turn.role not in INSTRUCTIONS]
    return instructions


def _ordered(turns: list[Spoken], call: Call, dialect: Dialect) -> list[Spoken]:
    """The turns in an order of roles that the dialect and the model take."""
    alternating = cannot(call.options, "repeated_roles")
    talk = next((place for place, turn in enumerate(turns) if turn.role not in INSTRUCTIONS), len(turns))
    if talk == len(turns) or ((dialect.begins or alternating) and turns[talk].role != "user"):
        turns.insert(talk, Spoken("user", [OPENING]))
    last = turns[-1]
    if last.role == "assistant":  # what the model is to go on with may not end in blanks
        last.parts[-1] = str(last.parts[-1]).rstrip()
    if turns[-1].role == "assistant" and (not dialect.prefill or cannot(call.options, "prefill")):
        turns.append(Spoken("user", [GO_ON]))
    if not dialect.user_after_results:
        for place in range(len(turns) - 1, 0, -1):
            if turns[place - 1].results and turns[place].role != "assistant":
                turns.insert(place, Spoken("assistant", [UNDERSTOOD]))
    return _merged(turns) if dialect.merged or alternating else turns


def _merged(turns: list[Spoken]) -> list[Spoken]:
    """Turns of one role that follow each other as one; results come first in theirs, for they follow the calls."""
    merged: list[Spoken] = []
    for turn in turns:
        last = merged[-1] if merged else None
        if last is None or last.role != turn.role or last.uses or turn.results:
            merged.append(turn)
            continue
        last.parts += turn.parts
        last.thoughts = []  # they stand before a turn of their own alone
        last.uses += turn.uses
        last.speaker = None
    return merged
