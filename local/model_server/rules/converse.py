"""What Amazon Bedrock's Converse refuses, beside what its model (botocore's) says of the shapes."""

import base64
import re

from local.model_server.exchange import Json
from local.model_server.rules import claude
from local.model_server.rules.common import NAME, is_mislabelled, is_plain_object, objects, refuse, twice

MOST_POINTS = 4
IDENTITY = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check(body: Json, model: str = "") -> None:
    """Refuse what the service refuses: its ValidationException."""
    named = _tools(body)
    turns = objects(body.get("messages"))
    if [turn.get("role") for turn in turns] != [("user", "assistant")[place % 2] for place in range(len(turns))]:
        refuse("A conversation must alternate between user and assistant roles, and begin with the user's.")
    contents = [objects(turn.get("content")) for turn in turns]
    for place, blocks in enumerate(contents):
        if not blocks:
            refuse(f"The content field in the Message object at messages.{place} is empty.")
        for block in blocks:
            _block(block, f"messages.{place}")
        used, given = _ids(blocks, "toolUse"), _ids(blocks, "toolResult")
        before = _ids(contents[place - 1], "toolUse") if place else []
        if len(given) > len(before):
            refuse(f"The number of toolResult blocks at messages.{place} exceeds that of toolUse blocks before.")
        if set(given) != set(before) or twice(given) or twice(used):
            refuse(f"Expected toolResult blocks at messages.{place}.content for the following Ids: {before}")
        if (used or given) and not named:
            refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    if contents and _ids(contents[-1], "toolUse"):
        refuse(f"Expected toolResult blocks at messages.{len(contents)}.content")
    for block in objects(body.get("system")):
        _block(block, "system")
    prefilled = bool(turns) and turns[-1]["role"] == "assistant"
    text = contents[-1][-1].get("text", "") if prefilled else ""
    if text != text.rstrip():
        refuse("messages: final assistant content cannot end with trailing whitespace")
    blocks = [block for content in contents for block in content]
    every = [*objects((body.get("toolConfig") or {}).get("tools")), *objects(body.get("system")), *blocks]
    if sum("cachePoint" in block for block in every) > MOST_POINTS:
        refuse("You have exceeded the maximum number of cache points.")
    settings = body.get("inferenceConfig") or {}
    claude.check(model, temperature=settings.get("temperature"), top_p=settings.get("topP"), prefilled=prefilled)


def _ids(blocks: list[Json], kind: str) -> list[str]:
    return [str(block[kind].get("toolUseId")) for block in blocks if isinstance(block.get(kind), dict)]


def _block(block: Json, where: str) -> None:
    if "text" in block and not str(block["text"]).strip():
        refuse(f"The text field in the ContentBlock object at {where} is blank.")
    use = block.get("toolUse")
    if isinstance(use, dict):
        if not IDENTITY.fullmatch(str(use.get("toolUseId"))) or not NAME.fullmatch(str(use.get("name"))):
            refuse(f"toolUse at {where} failed to satisfy constraint: [a-zA-Z0-9_-]+")
        if not isinstance(use.get("input"), dict):
            refuse(f"The format of the value at {where}.toolUse.input is invalid. Provide a json object.")
    result = block.get("toolResult")
    if isinstance(result, dict):
        inner = objects(result.get("content"))
        if not inner:
            refuse(f"The content field in the ToolResultBlock object at {where} is empty.")
        for each in inner:
            _block(each, where)
    image = block.get("image")
    if isinstance(image, dict):
        data = image.get("source", {}).get("bytes")
        encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
        if is_mislabelled(f"image/{image.get('format')}", encoded):
            refuse(f"The image at {where} is not in the format that it is said to be.")


def _tools(body: Json) -> list[str]:
    config = body.get("toolConfig") or {}
    names: list[str] = []
    for place, tool in enumerate(objects(config.get("tools"))):
        if "cachePoint" in tool:
            continue
        spec = tool.get("toolSpec")
        if not isinstance(spec, dict) or not NAME.fullmatch(str(spec.get("name"))):
            refuse(f"toolConfig.tools.{place}.toolSpec.name failed to satisfy constraint: [a-zA-Z0-9_-]+")
        if not is_plain_object((spec.get("inputSchema") or {}).get("json")):
            refuse(f"The value at toolConfig.tools.{place}.toolSpec.inputSchema.json.type must be one of: object.")
        if spec.get("description") == "":
            refuse(f"toolConfig.tools.{place}.toolSpec.description: length must be at least 1")
        names.append(spec["name"])
    if twice(names):
        refuse("toolConfig: tool names must be unique")
    named = (config.get("toolChoice") or {}).get("tool")
    if isinstance(named, dict) and named.get("name") not in names:
        refuse("toolConfig.toolChoice names a tool that is not there")
    return names
