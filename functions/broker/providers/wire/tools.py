"""A request's tools as a dialect takes them, and a model's calls of them as the caller knows them.

Names that a dialect does not take are folded into ones that it does, and schemas whose root is not a plain object are
wrapped. `Toolbox.named` and `Toolbox.restored` turn both back in the answer.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from broker.errors import InvalidRequest
from broker.providers.wire import chat as chats
from broker.providers.wire import wrapping
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.dialects import Dialect
from broker.providers.wire.marks import mark_of
from broker.providers.wire.structured import loads

Json = dict[str, Any]

NAMED = "named"
AUTO, FORBIDDEN = ("auto", ""), ("none", "")
FORCED = "Answer with a call of {}, and with nothing else."

_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
_MARK = 9
"""Characters of `_` and the hash that ends a folded name."""


@dataclass(frozen=True, slots=True)
class DialectTool:
    """One tool, with the name that the dialect takes."""

    name: str
    parameters: Json
    description: str | None = None
    wrapped: bool = False
    strict: bool = False
    """The caller asks for the service's strict mode."""
    mark: str = ""
    """As a part's (`wire.marks`)."""

    def function(self, parameters: str = "parameters") -> Json:
        """As most services have it; `parameters` is their name for the schema."""
        described = {} if self.description is None else {"description": self.description}
        return {"name": self.name, **described, parameters: self.parameters}


class Toolbox:
    """The tools of one request."""

    def __init__(self, call: Call, dialect: Dialect) -> None:
        """Read them.

        Raises:
            InvalidRequest: they, or their choice, are not in the form of OpenAI's functions, or two have one name.
        """
        self._dialect = dialect
        self._own: dict[str, str] = {}
        declared = _declared(call)
        self._by_own = {own: replace(tool, name=self.theirs(own)) for own, tool in declared.items()}
        self.choice = self._chosen(call)
        self.said: str | None = None
        """What the model has to be told in words of its tools."""
        if self.choice is not None and self.choice[0] in (NAMED, "required") and cannot(call.options, "forced_tools"):
            self.said = FORCED.format(f"the tool {self.choice[1]}" if self.choice[1] else "one of the tools")
            self.choice = AUTO

    @property
    def tools(self) -> list[DialectTool]:
        """In order."""
        return list(self._by_own.values())

    def theirs(self, own: str) -> str:
        """The name of a tool, declared or of the history, as the dialect takes it."""
        name = own if self._dialect.name.fullmatch(own) else _folded(own, self._dialect.name_length)
        self._own[name] = own
        return name

    def own(self, theirs: str) -> str:
        """The caller's name of a tool that `theirs` gave a name."""
        return self._own[theirs]

    def declare(self, names: Iterable[str]) -> None:
        """Declare tools of the history (by the caller's own names), which the model may not use now."""
        for own in dict.fromkeys(names):
            self._by_own[own] = DialectTool(self.theirs(own), wrapping.plain({}))
        self.choice = FORBIDDEN

    def arguments(self, own: str, given: Any) -> tuple[Json, str]:
        """A call's arguments as an object and as a text.

        What is no object (a model's broken JSON, a list) becomes one, so that the model sees what it said.
        """
        value, text = _read(given)
        tool = self._by_own.get(own)
        if tool is not None and tool.wrapped:
            made = {wrapping.VALUE: value}
        elif isinstance(value, dict):
            return value, text
        else:
            made = {} if value is None else {"arguments": value}
        return made, json.dumps(made, ensure_ascii=False)

    def named(self, given: list[Json], call: Call) -> list[Json]:
        """A model's calls (`id`, `name`, `arguments`) with the caller's own names, and ids that no other call has."""
        taken, made = set(_used(call)), []
        for place, each in enumerate(given):
            name, identity = each.get("name"), each.get("id")
            if not isinstance(identity, str) or not identity or identity in taken:
                identity = _identity(call, place)
            taken.add(identity)
            own = self._own.get(name, name) if isinstance(name, str) else name
            made.append({**each, "id": identity, "name": own})
        return made

    def restored(self, answer: Answer) -> Answer:
        """The answer with arguments of its calls by the caller's own schemas."""
        made = answer.output.get("tool_calls")
        if not made:
            return answer
        calls = [{**each, "function": self._restored(each["function"])} for each in made]
        return replace(answer, output={**answer.output, "tool_calls": calls})

    def _restored(self, function: Json) -> Json:
        tool = self._by_own.get(function["name"])
        bare = wrapping.unwrapped(function["arguments"]) if tool is not None and tool.wrapped else None
        return function if bare is None else {**function, "arguments": bare}

    def _chosen(self, call: Call) -> tuple[str, str] | None:
        """`auto`, `none` or `required`, or `named` and the dialect's name; None where there is nothing to choose."""
        match call.input.get("tool_choice"):
            case None:
                return None
            case "auto" | "none" as word:
                return (word, "") if self._by_own else None
            case "required" if self._by_own:
                return "required", ""
            case {"function": {"name": str(name)}} if name in self._by_own:
                return NAMED, self.theirs(name)
        _unfit("input.tool_choice")


def _declared(call: Call) -> dict[str, DialectTool]:
    declared: dict[str, DialectTool] = {}
    for given in call.input.get("tools") or []:
        function = given.get("function") if isinstance(given, dict) else None
        if not isinstance(function, dict):
            _unfit("input.tools")
        name, described, schema = (function.get(each) for each in ("name", "description", "parameters"))
        if not (
            isinstance(name, str) and name and isinstance(described, str | None) and isinstance(schema, dict | None)
        ):
            _unfit("input.tools")
        schema = schema or {}
        if wraps := not wrapping.is_plain(schema):
            schema = wrapping.wrapped(schema)
        description = described if described and described.strip() else None
        tool = DialectTool(
            name,
            wrapping.plain(schema),
            description,
            wraps,
            function.get("strict") is True and not wraps,
            mark_of(given),
        )
        if declared.setdefault(name, tool) != tool:
            raise InvalidRequest("Two tools have one name.", code="invalid_tools", param="input.tools")
    return declared


def _folded(name: str, longest: int) -> str:
    """A name of letters, digits, `_` and `-`; the hash keeps it apart from all others, also in another request."""
    mark = hashlib.sha256(name.encode()).hexdigest()[: _MARK - 1]
    bare = _STRANGE.sub("_", name)[: longest - _MARK]
    return f"{bare}_{mark}" if bare[:1].isalpha() else f"_{bare[:-1]}_{mark}"


def _read(given: Any) -> tuple[Any, str]:
    """What arguments hold, and the text that they have; a text that is not JSON stands for itself."""
    if not isinstance(given, str):
        return given, json.dumps(given, ensure_ascii=False)
    if not given.strip():
        return None, "{}"
    try:
        return loads(given), given
    except ValueError:
        return given, given


def _used(call: Call) -> Iterable[str]:
    for place, message in enumerate(chats.messages(call)):
        yield from (identity for identity, *_ in chats.used_tools(message, place))


def _identity(call: Call, place: int) -> str:
    """An id for a call of which the model gave none, or one that it gave before; a repeat of the call has it too."""
    seed = call.token or json.dumps(call.input, sort_keys=True)
    return f"call_{hashlib.sha256(f'{seed}/{place}'.encode()).hexdigest()[:24]}"


def _unfit(param: str) -> NoReturn:
    message = "Tools and their choice have to be in the form of OpenAI's functions."
    raise InvalidRequest(message, code="invalid_tools", param=param)
