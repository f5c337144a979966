"""A broker in memory for programs with packages of clients: it answers as asked, and runs its batches meanwhile."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from broker.rest.http import Reply

from tests.fakes.queue import FakeQueue
from tests.unit.doors.batch_case import Broker
from tests.unit.doors.case import Json, Server, a_door
from tests.unit.rest_door import Door


def sensibly(request: Json) -> Json:
    """Answers as a model that does what it is asked to: calls a tool, fills a form, or says what it was told."""
    given = request["input"]
    if "messages" not in given:
        texts = [given["text"]] if isinstance(given["text"], str) else given["text"]
        return {"embeddings": [[float(len(text)), 1.0, 0.5] for text in texts]}
    last = given["messages"][-1]
    if last["role"] == "tool":
        return {"text": f"It is {words(last['content'])} degrees in Turin.", "finish_reason": "stop"}
    tools = [each["function"] for each in given.get("tools") or ()]
    if tools:
        choice = given.get("tool_choice")
        named = choice["function"]["name"] if isinstance(choice, dict) else tools[0]["name"]
        (tool,) = [each for each in tools if each["name"] == named]
        call = {"name": named, "arguments": json.dumps(fitting(tool["parameters"]))}
        calls = [{"id": "call_1", "type": "function", "function": call}]
        return {"text": "", "finish_reason": "tool_calls", "tool_calls": calls}
    if request.get("output_schema"):
        return {"text": json.dumps(fitting(request["output_schema"])), "finish_reason": "stop"}
    return {"text": f"You said: {words(last['content'])}", "finish_reason": "stop"}


def fitting(schema: Json) -> Any:
    """A value of a schema, with what the programs ask for."""
    if schema.get("type") == "object":
        return {name: fitting(each) for name, each in schema.get("properties", {}).items()}
    return {"integer": 2, "number": 2, "boolean": True, "array": []}.get(str(schema.get("type")), "Turin")


def words(content: Any) -> str:
    """The text of a message."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


@dataclass
class Working(Door):
    """A door whose batches somebody has to run, one call at a time."""

    made: SimpleQueue[str] = field(default_factory=SimpleQueue)
    """The ids of batches that were asked for."""
    one_at_a_time: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""
    """Where it is found."""

    def __call__(self, method: str, resource: str, *arguments: Any, **options: Any) -> Reply:
        with self.one_at_a_time:
            reply = super().__call__(method, resource, *arguments, base_url=self.url, **options)
        if method == "POST" and resource in ("/batches", "/messages/batches") and reply.status < 300:
            self.made.put(f"batch_{reply.body['id'].partition('_')[2]}")
        return reply


@dataclass
class Site:
    """A door over HTTP that runs its batches while programs run."""

    door: Working = field(default_factory=Working)

    def __post_init__(self) -> None:
        self.broker = Broker(door=self.door, answer=sensibly)
        a_door(sensibly, self.door)
        self.server = Server(self.door, "/v1")
        self.door.url = f"{self.server.url}/v1"
        self.door.bucket.url = f"{self.server.url}/bucket"

    def run(self, command: Sequence[str | Path], folder: Path, key: str = "ib_acme") -> tuple[str, str, int]:
        """Run a program that knows of the door; gives what it printed, its complaints, and its status."""
        known = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        known |= {
            "BROKER_URL": f"{self.server.url}/v1",
            "BROKER_API_KEY": key,
            "NO_COLOR": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        out, complaints = folder / "out.txt", folder / "err.txt"
        with self.server, out.open("w") as told, complaints.open("w") as failed:
            program = subprocess.Popen(command, cwd=folder, env=known, stdout=told, stderr=failed)  # noqa: S603 - ours
            try:
                until = time.monotonic() + 120
                while program.poll() is None and time.monotonic() < until:
                    self.work()
            finally:
                program.kill()
                program.wait()
        return out.read_text(), complaints.read_text(), program.returncode

    def work(self) -> None:
        """Run a batch if one was asked for: here, for rows are bounded by signals, which only the main thread has."""
        try:
            batch_id = self.door.made.get(timeout=0.05)
        except Empty:
            return
        with self.door.one_at_a_time:
            world = self.door.world
            queue, world.queue = world.queue, FakeQueue()  # its jobs are ended by the batch
            self.broker.run_all(batch_id)
            world.queue = queue
            key = f"files/acme/{self.broker.batch(batch_id).output['output_file_id']}"
            self.door.batches.links[batch_id, "output"] = f"{self.door.bucket.url}/{key}"
