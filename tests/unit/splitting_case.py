"""What tests of splitting begin with: a file of good lines and bad ones."""

from tests.fakes.inbox import Files, chat, jsonl

LINES = jsonl(chat("One."), "", "{not json", chat("Two."), {**chat("Three."), "model": "none"}, chat("Four.")) + "\r\n"
KEY = "acme/orders/today.jsonl"


def lines_of_jobs(files: Files, batch_id: str) -> list[int | None]:
    return [head.line for head in files.jobs(batch_id)]
