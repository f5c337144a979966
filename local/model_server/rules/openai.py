"""What OpenAI's chat completions refuse; and what servers do that fill in a model's own chat template."""

from local.model_server.exchange import Json
from local.model_server.rules.common import NAME, is_plain_object, objects, refuse, twice

ROLES = ("system", "developer", "user", "assistant", "tool")
LONGEST_ID = 40


def check(body: Json) -> None:
    """Refuse what OpenAI refuses."""
    _tools(body)
    _format(body)
    waiting: list[object] = []
    for place, message in enumerate(objects(body.get("messages"))):
        where, role = f"messages[{place}]", message.get("role")
        if role not in ROLES:
            refuse(f"Invalid value: '{role}'. Supported values are: {', '.join(ROLES)}.", f"{where}.role")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                refuse("messages with role 'tool' must be a response to a preceding message with 'tool_calls'.", where)
            waiting.remove(message["tool_call_id"])
        elif waiting:
            refuse("An assistant message with 'tool_calls' must be followed by tool messages for each of them.", where)
        if any(part.get("type") == "image_url" for part in objects(message.get("content"))) and role != "user":
            refuse(f"Image URLs are only allowed for messages with role 'user', not '{role}'.", where)
        _content(message, where)
        waiting += _calls(message, where)
    if waiting:
        refuse("An assistant message with 'tool_calls' must be followed by tool messages for each of them.", "messages")


def check_template(body: Json) -> None:
    """Refuse what many models' chat templates do, beside OpenAI's own rules."""
    check(body)
    roles = [message.get("role") for message in objects(body.get("messages"))]
    if "developer" in roles:
        refuse("messages.role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`")
    if "system" in roles[1:]:
        refuse("System message must be at the beginning.")
    if not {"user", "tool"} & set(roles):
        refuse("No user query found in messages.")


def _content(message: Json, where: str) -> None:
    content = message.get("content")
    empty = content is None or content == []
    if empty and not (message.get("role") == "assistant" and message.get("tool_calls")):
        refuse("Invalid value for 'content': expected a string, got null.", f"{where}.content")
    if "name" in message and not isinstance(message["name"], str):
        refuse("Invalid type for 'name': expected a string.", f"{where}.name")


def _calls(message: Json, where: str) -> list[object]:
    calls = objects(message.get("tool_calls"))
    for call in calls:
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
            refuse("Missing required parameter: 'function.arguments'.", f"{where}.tool_calls")
        if not NAME.fullmatch(str(function.get("name"))):
            refuse("Invalid 'function.name': string does not match pattern.", f"{where}.tool_calls")
        if not 0 < len(str(call.get("id") or "")) <= LONGEST_ID:
            refuse(f"Invalid 'id': expected a string of at most {LONGEST_ID} characters.", f"{where}.tool_calls")
    ids = [call.get("id") for call in calls]
    if twice(ids):
        refuse("Duplicate value for 'tool_call_id'.", f"{where}.tool_calls")
    return ids


def _tools(body: Json) -> None:
    tools = objects(body.get("tools"))
    if "tools" in body and not tools:
        refuse("Invalid 'tools': empty array.", "tools")
    names = []
    for place, tool in enumerate(tools):
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or not NAME.fullmatch(name):
            refuse("string does not match pattern '^[a-zA-Z0-9_-]+$'.", f"tools[{place}].function.name")
        schema = function.get("parameters") if isinstance(function, dict) else None
        if schema is not None and not (is_plain_object(schema) and "properties" in schema):
            refuse(
                "schema must have type 'object' and no choice at the top level.", f"tools[{place}].function.parameters"
            )
        names.append(name)
    if twice(names):
        refuse(f"Tool names must be unique: {twice(names)}.", "tools")
    choice = body.get("tool_choice")
    if choice is not None and not tools:
        refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(choice, dict) and (choice.get("function") or {}).get("name") not in names:
        refuse("Tool choice not found in 'tools' parameter.", "tool_choice")


def _format(body: Json) -> None:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else None
    if isinstance(schema, dict) and not is_plain_object({"type": "object", **schema}):
        refuse("schema must be a JSON Schema of 'type: \"object\"'.", "response_format")
