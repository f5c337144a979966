"""What tests of splitting begin with: a file of good lines and bad ones."""

from tests.fakes.inbox import chat, jsonl

LINES = jsonl(chat("One."), "", "{not json", chat("Two."), {**chat("Three."), "model": "none"}, chat("Four.")) + "\r\n"
KEY = "acme/orders/today.jsonl"
