"""A session of the official client of the Model Context Protocol, which has an environment of its own (`.venv/mcp`).

Run as `python mcp_session.py KEY URL MODE [URL MODE …]`; prints what it met as JSON, a line for each. In the mode
`tasks` the client takes tasks, and polls them as the extension has it.
"""

import json
import sys
from typing import Any, Literal

import anyio
import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ConfigDict, Field

WORK = {
    "input": {"text": "Summarize: The lamp needed nobody. The keeper slept."},
    "parameters": {"max_output_tokens": 50},
}


class MadeTask(types.Result):
    """A task in the place of a tool's result."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    poll_interval_ms: int = Field(alias="pollIntervalMs")


class Params(types.RequestParams):
    """Of a request about a task."""

    task_id: str = Field(alias="taskId")


class GetTask(types.Request[Params, Literal["tasks/get"]]):
    """How a task stands."""

    method: Literal["tasks/get"] = "tasks/get"


class Task(types.Result):
    """What is answered."""

    model_config = ConfigDict(extra="allow")
    status: str
    result: dict[str, Any] | None = None


class Tasks(ClientExtension):
    """The extension, as far as a caller of tools needs it."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def claims(self) -> list[ResultClaim[MadeTask]]:
        """A task is polled until it has ended."""
        return [ResultClaim(result_type="task", model=MadeTask, resolve=self._resolve)]

    async def _resolve(self, made: MadeTask, context: ClaimContext) -> types.CallToolResult:
        while True:
            asked = GetTask(params=Params(taskId=made.task_id))
            task = await context.session.send_request(asked, Task)
            self.seen.append(task.status)
            if task.status == "completed":
                return types.CallToolResult.model_validate(task.result)
            await anyio.sleep(min(made.poll_interval_ms, 200) / 1000)


async def main(url: str, key: str, mode: str) -> dict[str, Any]:
    """What the client met."""
    tasks = Tasks()
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=60) as http:
        transport = streamable_http_client(url, http_client=http)
        kind = "legacy" if mode == "legacy" else "auto"
        async with Client(transport, mode=kind, extensions=[tasks] if mode == "tasks" else []) as client:
            listed = [*(page := await client.list_tools()).tools]
            while page.next_cursor:
                listed += (page := await client.list_tools(cursor=page.next_cursor)).tools
            prompt = await client.call_tool("run_prompt_summarize", {"document": "The lamp needed nobody."})
            made = await client.call_tool("submit_job", {**WORK, "wait_seconds": 20})
            job = made.structured_content or {}
            looked = await client.call_tool("get_job", {"id": job["id"], "wait_seconds": 20})
            estimate = await client.call_tool("estimate", WORK)
            models = await client.call_tool("list_models", {})
            late = await client.call_tool("cancel_job", {"id": job["id"]})
            wrong = await client.call_tool("submit_job", {"input": {"text": 7}})
            try:
                await client.call_tool("no_such_tool", {})
                unknown = 0
            except MCPError as error:
                unknown = error.code
            return {
                "version": client.protocol_version,
                "server": client.server_info.name if client.server_info else None,
                "instructions": bool(client.instructions),
                "tools": [tool.name for tool in listed],
                "prompt": _text(prompt),
                "job": job,
                "answer": _text(looked),
                "estimate": estimate.structured_content,
                "models": [model["id"] for model in (models.structured_content or {})["data"]],
                "late": [late.is_error, _text(late)],
                "wrong": [wrong.is_error, _text(wrong)],
                "unknown": unknown,
                "tasks": tasks.seen,
            }


def _text(result: types.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


if __name__ == "__main__":
    key, *rest = sys.argv[1:]
    for url, mode in zip(rest[::2], rest[1::2], strict=True):
        print(json.dumps(anyio.run(main, url, key, mode)))
