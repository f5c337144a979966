"""The official client of the Model Context Protocol, over HTTP against the door."""

import json
import subprocess
import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.world import NOW
from tests.unit.doors.case import Server, a_door, sent
from tests.unit.rest_door import Door

PYTHON = Path(sys.prefix) / "mcp" / "bin" / "python"
SCRIPT = Path(__file__).with_name("mcp_session.py")

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="`make test` installs the client into .venv/mcp")


VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25", "tasks": "2026-07-28"}
"""By mode of the client, what it agrees on."""


@pytest.fixture(scope="module")
def sessions() -> dict[str, tuple[Door, Any]]:
    """By mode, the door and what the client met there; its environment is its own, and told nothing of this one's."""
    doors = {mode: a_door() for mode in VERSIONS}
    prompts = parse_registry({"prompts": [{"id": "summarize", "user": "Summarize: {{document}}"}]})
    for door in doors.values():
        apply(door.world.registry(), prompts, by="tests", now=NOW)
    with ExitStack() as stack:
        urls = [(f"{stack.enter_context(Server(door)).url}/mcp", mode) for mode, door in doors.items()]
        done = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), str(SCRIPT), "ib_acme", *chain(*urls)],
            capture_output=True,
            text=True,
            timeout=100,
            env={"PATH": ""},
        )
    assert done.returncode == 0, done.stderr[-3000:]
    met = map(json.loads, done.stdout.splitlines())
    return {mode: (door, next(met)) for mode, door in doors.items()}


@pytest.mark.parametrize("mode", VERSIONS)
def test_the_client_finds_the_tools_and_uses_each(sessions: dict[str, tuple[Door, Any]], mode: str) -> None:
    door, met = sessions[mode]
    assert (met["version"], met["server"], met["instructions"]) == (VERSIONS[mode], "inference-broker", True)
    fixed = ["submit_job", "get_job", "cancel_job", "estimate", "list_models", "run_prompt"]
    assert met["tools"] == [*fixed, "run_prompt_summarize"]
    assert met["prompt"] == met["answer"] == "Hello to you"
    assert (met["job"]["status"], met["job"]["usage"]["input_tokens"]) == ("succeeded", 9)
    assert met["estimate"]["object"] == "estimate" and "small" in met["models"]
    assert met["late"][0] and "ended" in met["late"][1]
    assert met["wrong"][0] and "input.text" in met["wrong"][1]
    assert met["unknown"] == -32602
    assert met["tasks"] == (["completed"] * 2 if mode == "tasks" else [])
    assert {head.tenant for head in sent(door)} == {"acme"} and len(sent(door)) == 2
