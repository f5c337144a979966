"""What Gemini's generateContent refuses."""

import re

from local.model_server.exchange import Json
from local.model_server.rules.common import is_mislabelled, is_plain_object, objects, refuse, twice

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
SIGNED_FROM = 3
_VERSION = re.compile(r"gemini-(\d+)")


def check(body: Json, model: str = "") -> None:
    """Refuse what the service refuses; by its name, a model that wants signatures."""
    _tools(body)
    contents = objects(body.get("contents"))
    for place, content in enumerate(contents):
        where, parts, role = f"contents[{place}]", objects(content.get("parts")), content.get("role", "user")
        if role not in ("user", "model"):
            refuse(f"{where}.role: Please use a valid role: user, model.")
        if not parts:
            refuse(f"{where}.parts: must not be empty")
        for part in parts:
            _part(part, where)
        calls, results = ([part for part in parts if name in part] for name in ("functionCall", "functionResponse"))
        answered = _count(contents, place + 1, "functionResponse")
        if calls and (role != "model" or answered != len(calls)):
            refuse("The number of function response parts must equal that of the function call parts of the turn.")
        if results and _count(contents, place - 1, "functionCall") != len(results):
            refuse("A function response turn must come immediately after a function call turn.")
        if calls and (place == 0 or contents[place - 1].get("role") != "user"):
            refuse("A function call turn must come immediately after a user turn or after a function response turn.")
    _signed(contents, model)


def _count(contents: list[Json], place: int, name: str) -> int:
    return sum(name in part for part in objects(contents[place].get("parts"))) if 0 <= place < len(contents) else 0


def _part(part: Json, where: str) -> None:
    call, result, data = (part.get(name) for name in ("functionCall", "functionResponse", "inlineData"))
    if isinstance(call, dict) and not (NAME.fullmatch(str(call.get("name"))) and isinstance(call.get("args"), dict)):
        refuse(f"{where}.function_call.name: [FIELD_INVALID] Invalid function name or arguments.")
    if isinstance(result, dict) and not isinstance(result.get("response"), dict):
        refuse(f"{where}.function_response.response: has to be a Struct")
    if isinstance(data, dict) and is_mislabelled(data.get("mimeType"), data.get("data")):
        refuse(f"{where}.inline_data: Unable to process input image.")


def _signed(contents: list[Json], model: str) -> None:
    """In the turn that goes on, the first call of each step has a signature."""
    found = _VERSION.search(model)
    if not found or int(found[1]) < SIGNED_FROM:
        return
    asked = [place for place, each in enumerate(contents) if each.get("role") == "user" and _says(each)]
    for content in contents[asked[-1] if asked else 0 :]:
        calls = [part for part in objects(content.get("parts")) if "functionCall" in part]
        if calls and not calls[0].get("thoughtSignature"):
            refuse("Function call is missing a thought_signature in functionCall parts.")


def _says(content: Json) -> bool:
    return any("text" in part for part in objects(content.get("parts")))


def _tools(body: Json) -> None:
    declared = [each for group in objects(body.get("tools")) for each in objects(group.get("functionDeclarations"))]
    for place, each in enumerate(declared):
        if not NAME.fullmatch(str(each.get("name"))):
            refuse(f"tools[0].function_declarations[{place}].name: [FIELD_INVALID] Must start with a letter or a _.")
        schema = each.get("parametersJsonSchema")
        if schema is not None and not is_plain_object(schema):
            refuse(f"tools[0].function_declarations[{place}].parameters: schema should be of type OBJECT.")
    if twice(each["name"] for each in declared):
        refuse("Duplicate function declaration found.")
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    for name in calling.get("allowedFunctionNames") or []:
        if name not in [each["name"] for each in declared]:
            refuse(f"allowed_function_names: {name} is not declared")
