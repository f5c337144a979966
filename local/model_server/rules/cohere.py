"""What the second version of Cohere's chat refuses."""

from local.model_server.exchange import Json
from local.model_server.rules.common import NAME, is_plain_object, objects, refuse, twice

ROLES = ("system", "user", "assistant", "tool")
BODY = frozenset(
    {
        *("model", "messages", "stream", "max_tokens", "temperature", "p", "k", "stop_sequences", "seed", "tools"),
        *("tool_choice", "response_format", "safety_mode", "documents", "citation_options", "strict_tools"),
        "thinking",
    }
)


def check(body: Json) -> None:
    """Refuse what Cohere refuses."""
    if strange := sorted(body.keys() - BODY):
        refuse(f"unknown field: parameter '{strange[0]}' is not a valid field")
    tools = _tools(body)
    messages = objects(body.get("messages"))
    waiting: list[object] = []
    for place, message in enumerate(messages):
        role, calls = message.get("role"), objects(message.get("tool_calls"))
        if role not in ROLES:
            refuse(f"invalid role '{role}' for message at messages[{place}]")
        if not (message.get("content") or (role == "assistant" and calls)):
            refuse(f"all elements in messages must have content or tool calls: messages[{place}]")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                refuse(f"tool_call_id at messages[{place}] belongs to no tool call")
            waiting.remove(message["tool_call_id"])
        elif waiting:
            refuse(f"tool calls were not followed by their results: {waiting}")
        if calls and not tools:
            refuse("tools must be given where messages have tool calls")
        ids = [call.get("id") for call in calls]
        if twice(ids) or not all(ids):
            refuse(f"tool calls at messages[{place}] need ids of their own")
        waiting += ids
    if waiting:
        refuse(f"tool calls were not followed by their results: {waiting}")
    if messages and messages[-1].get("role") not in ("user", "tool"):
        refuse("the last message has to be a user's or a tool's")


def _tools(body: Json) -> list[Json]:
    tools = objects(body.get("tools"))
    names = []
    for place, tool in enumerate(tools):
        function = tool.get("function")
        if not isinstance(function, dict) or not NAME.fullmatch(str(function.get("name"))):
            refuse(f"invalid tool name at tools[{place}]")
        if not is_plain_object(function.get("parameters")):
            refuse(f"invalid tool at tools[{place}]: parameters have to be of type object")
        names.append(function["name"])
    if twice(names):
        refuse("tools have to have names of their own")
    if body.get("tool_choice") not in (None, "REQUIRED", "NONE") or ("tool_choice" in body and not tools):
        refuse("tool_choice is REQUIRED or NONE, and goes with tools")
    if tools and body.get("response_format"):
        refuse("response_format is not supported with tools")
    return tools
