"""The Model Context Protocol through the deployed API: the official client, and two tenants."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack, chat

PYTHON = Path(sys.prefix) / "mcp" / "bin" / "python"


def test_the_official_client_does_work_by_tools_and_tasks(stack: Stack) -> None:
    if not PYTHON.exists():
        pytest.skip("`make test` installs the client into .venv/mcp")
    script = Path(__file__).parents[1] / "unit" / "doors" / "mcp_session.py"
    url = f"{stack.base_url}/mcp"
    command = [str(PYTHON), str(script), stack.seeded.api_key, url, "auto", url, "tasks"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={"PATH": ""})  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr[-3000:]
    for line in done.stdout.splitlines():
        met = json.loads(line)
        assert {"submit_job", "run_prompt_summarize"} <= {*met["tools"]}
        assert met["version"] == "2026-07-28" and met["prompt"] and met["answer"]
        job = stack.api.call("GET", f"/jobs/{met['job']['id']}").body
        assert (job["status"], job["output"]["text"]) == ("succeeded", met["answer"])
        (accepted, *_) = stack.api.call("GET", f"/jobs/{met['job']['id']}/events").body["data"]
        assert (accepted["event"], accepted["door"]) == ("job.accepted", "mcp")
    assert met["tasks"][-1] == "completed"


def call(stack: Stack, tool: str, arguments: dict[str, Any], client: Any = None) -> Any:
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = (client or stack.api).call("POST", "/mcp", message)
    assert answer.status == 200, answer.body
    return answer.body["result"]


def test_a_job_is_its_tenants_and_the_gateway_lets_no_other_method_through(stack: Stack) -> None:
    job = call(stack, "submit_job", chat())["structuredContent"]
    other = stack.as_tenant("other")
    theirs = call(stack, "get_job", {"id": job["id"]}, other)
    assert theirs["isError"] and theirs["structuredContent"]["error"]["type"] == "not_found"
    assert call(stack, "get_job", {"id": job["id"], "wait_seconds": 20})["structuredContent"]["status"] == "succeeded"
    for method in ("GET", "DELETE", "PUT"):
        answer = stack.api.call(method, "/mcp")
        assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST"), method
    assert stack.api.call("POST", "/mcp", b"[]").status == 400
    assert stack.api.call("POST", "/mcp", {}, headers={"origin": "https://evil.example"}).status == 403
