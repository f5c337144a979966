"""Messages and tools of a chat, in the form that OpenAI's clients send them: what every adapter can rely on.

What clients send beyond it (`annotations`, `extra_content` of a tool call, whatever an answer held that is sent back)
is kept as it is; what no adapter could make sense of is refused here, with its place.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from broker.errors import InvalidRequest
from broker.jobs.exact import Exact
from broker.jobs.field_errors import Spelled, at, here, one_of
from broker.jobs.prompt_caching import CacheControl
from broker.json_schema.checking import check_places

MOST_MESSAGES = 2000
MOST_PARTS = 1000
MOST_CALLS = 128
MOST_TOOLS = 128

BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"


class Open(Exact):
    """What a client says beyond the contract is kept."""

    model_config = ConfigDict(extra="allow", defer_build=True)  # it is only ever checked as a part of a request


Name = Annotated[str, Field(min_length=1, max_length=128)]
FunctionName = Annotated[
    str,
    Spelled(
        "^[A-Za-z0-9_.:-]{1,128}$",
        "it has to be a name of 1 to 128 characters: letters, digits, '_', '.', ':' and '-'",
    ),
]
CallId = Annotated[str, Field(min_length=1, max_length=512)]


class Markable(Open):
    """What a mark of a prompt cache may stand in: all up to its end is to be kept."""

    cache_control: CacheControl | None = None


class TextPart(Markable):
    """A text."""

    type: Literal["text"]
    text: str


ADDRESSES = (
    f"[dD][aA][tT][aA]:[^,]*;[bB][aA][sS][eE]64,{BASE64}",
    r"s3://[^/]+/[\s\S]+",
    "[hH][tT][tT][pP][sS]://.+",
)
Address = Annotated[
    str,
    Spelled(
        f"^({'|'.join(ADDRESSES)})$",
        "it has to be a data: URL in base64, the s3:// address of an object, or an https:// address",
    ),
]
"""Bytes in a `data:` URL, an object of the inbox bucket, or an address that the provider fetches."""


class Picture(Open):
    """Where a picture is."""

    url: Address


def _text_or_object(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<object>"


class PicturePart(Markable):
    """A picture."""

    type: Literal["image_url"]
    image_url: Annotated[
        Annotated[Address, Tag("<text>")] | Annotated[Picture, Tag("<object>")], Discriminator(_text_or_object)
    ]


class OtherPart(Markable):
    """What only some models take (`input_audio`, `file`): their adapter passes it on."""

    type: Annotated[str, Field(min_length=1, max_length=64, json_schema_extra={"not": {"enum": ["text", "image_url"]}})]


def _part(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "<text>" if kind == "text" else "<picture>" if kind == "image_url" else "<other>"


Part = Annotated[
    Annotated[TextPart, Tag("<text>")]
    | Annotated[PicturePart, Tag("<picture>")]
    | Annotated[OtherPart, Tag("<other>")],
    Discriminator(_part),
]


def _text_or_parts(value: Any) -> str | None:
    return "<text>" if isinstance(value, str) else "<parts>" if isinstance(value, list) else None


_FORM = one_of(_text_or_parts, "it has to be a text or a list of parts")
_LIST = Field(max_length=MOST_PARTS, fail_fast=True)
Content = Annotated[Annotated[str, Tag("<text>")] | Annotated[list[Part], _LIST, Tag("<parts>")], _FORM]
Instructions = Annotated[Annotated[str, Tag("<text>")] | Annotated[list[TextPart], _LIST, Tag("<parts>")], _FORM]


def _says_something(content: str | list[Any]) -> str | list[Any]:
    blank = (
        not content.strip()
        if isinstance(content, str)
        else all(isinstance(part, TextPart) and not part.text.strip() for part in content)
    )
    if blank:
        raise here("a user's message has to say something")
    return content


class SystemMessage(Markable):
    """Instructions."""

    role: Literal["system", "developer"]
    content: Instructions
    name: Name | None = None


class UserMessage(Markable):
    """What a user says."""

    role: Literal["user"]
    content: Annotated[Content, AfterValidator(_says_something)]
    name: Name | None = None


class CalledFunction(Open):
    """Which function, and with what."""

    name: FunctionName
    arguments: str
    """JSON, as a text."""


class ToolCall(Markable):
    """A call that the model made. `extra_content` and whatever else came with it goes back to the model."""

    id: CallId
    type: Literal["function"]
    function: CalledFunction


class Thought(Open):
    """What a model thought before it said something; its provider takes it back as it came, by the seal."""

    text: str
    seal: Annotated[str, Field(max_length=2_000_000)] | None = None


class AssistantMessage(Markable):
    """What a model said; all that an answer held may be sent back."""

    role: Literal["assistant"]
    content: Content | None = None
    name: Name | None = None
    refusal: str | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=MOST_CALLS, fail_fast=True)] | None = None
    reasoning: Annotated[list[Thought], Field(max_length=MOST_CALLS, fail_fast=True)] | None = None
    function_call: None = None
    """OpenAI's form before `tool_calls`; clients still send it as null."""


class ToolMessage(Markable):
    """What a tool gave."""

    role: Literal["tool"]
    content: Annotated[Content, BeforeValidator(lambda content: "" if content is None else content, Content | None)]
    tool_call_id: CallId
    """Of the call that it answers, made by an earlier assistant's message."""
    name: Name | None = None


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage,
    Field(discriminator="role"),
]
"""One turn."""


def _is_a_schema(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type", "object") != "object":
        raise here("a function's parameters are an object")
    try:
        check_places(schema)
    except InvalidRequest as error:
        raise here(error.message) from None
    return schema


class Function(Open):
    """A function that the model may call."""

    name: FunctionName
    description: str | None = None
    parameters: Annotated[dict[str, Any], AfterValidator(_is_a_schema)] | None = None
    """JSON Schema of an object."""
    strict: bool | None = None


class Tool(Markable):
    """A tool: a function of the client's."""

    type: Literal["function"]
    function: Function


class NamedFunction(Open):
    """One function, by its name."""

    name: FunctionName


class NamedTool(Open):
    """The tool that has to be used."""

    type: Literal["function"]
    function: NamedFunction


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag("<text>")] | Annotated[NamedTool, Tag("<object>")],
    Discriminator(_text_or_object),
]


def check_tools(tools: Sequence[Tool], choice: str | NamedTool | None) -> None:
    """Check that tools have names of their own, and that the one that has to be used is among them.

    Raises:
        PydanticCustomError: at the place at fault.
    """
    names: set[str] = set()
    for number, tool in enumerate(tools):
        if tool.function.name in names:
            raise at(f"input.tools.{number}.function.name", "another tool has this name")
        names.add(tool.function.name)
    if isinstance(choice, NamedTool) and choice.function.name not in names:
        raise at("input.tool_choice.function.name", "no tool has this name")
    if choice == "required" and not names:
        raise at("input.tool_choice", "there are no tools")


def check_results(messages: Iterable[Any], *, goes_on: bool) -> None:
    """Check that each tool's result answers a call of an earlier message, and no call is answered twice.

    Args:
        messages: of the request, in order.
        goes_on: turns that are kept come before them, so the first may answer calls that these made.

    Raises:
        PydanticCustomError: at the place at fault.
    """
    calls: set[str] = set()
    answered: set[str] = set()
    for number, message in enumerate(messages):
        place = f"input.messages.{number}"
        if isinstance(message, AssistantMessage):
            goes_on = False
            made: set[str] = set()
            for which, call in enumerate(message.tool_calls or ()):
                if call.id in made:
                    raise at(f"{place}.tool_calls.{which}.id", "another call of this message has this id")
                made.add(call.id)
            calls |= made
            answered -= made
        elif isinstance(message, ToolMessage):
            identity = message.tool_call_id
            if identity in answered:
                raise at(f"{place}.tool_call_id", "this call has its result already")
            if identity not in calls and not goes_on:
                raise at(f"{place}.tool_call_id", "no earlier message of the assistant made this call")
            answered.add(identity)
