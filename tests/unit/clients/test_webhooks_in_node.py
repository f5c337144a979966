"""What a receiver in Node does with OpenAI's package: it verifies each delivery, and reads what it is of."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from broker.endpoints.bodies import EVENTS

from tests.unit.clients.case import Site
from tests.unit.clients.programs import node
from tests.unit.endpoints.endpoints_case import Posted, Shop
from tests.unit.endpoints.test_endpoints_packages import told

PROGRAM = """
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const client = new OpenAI({ apiKey: "not needed here" });
for (const { secret, headers, body } of JSON.parse(readFileSync("posts.json", "utf8"))) {
  try {
    const event = await client.webhooks.unwrap(body, headers, secret);
    console.log(event.object, event.type, event.id, event.data.id, event.created_at);
  } catch (error) {
    console.log(error.constructor.name);
  }
}
"""


@pytest.fixture
def shop() -> Shop:
    return Shop(now=time.time_ns() // 1_000_000)


def unwrapped(folder: Path, *posts: tuple[str, Posted], **changed: Any) -> list[str]:
    """What the program prints of each."""
    sent = [{"secret": secret, "headers": post.headers, "body": post.body.decode()} | changed for secret, post in posts]
    (folder / "posts.json").write_text(json.dumps(sent))
    printed, complaints, status = Site().run(node(folder, PROGRAM), folder)
    assert status == 0, complaints[-3000:]
    return printed.splitlines()


def test_openais_package_for_node_verifies_and_reads_each_event(tmp_path: Path) -> None:
    sent = []
    for event in EVENTS["openai"]:
        shop = Shop(now=time.time_ns() // 1_000_000)
        mine = shop.register(form="openai")
        sent.append((shop.secrets[mine.id], told(shop, event)))
    lines = unwrapped(tmp_path, *sent)
    facts = [post.told for _, post in sent]
    known = [["event", each["type"], each["id"], each["data"]["id"], str(each["created_at"])] for each in facts]
    assert [line.split() for line in lines] == known
    assert [each["type"] for each in facts] == list(EVENTS["openai"])


def test_both_secrets_verify_while_one_is_rotated_and_another_endpoints_never(shop: Shop, tmp_path: Path) -> None:
    mine, theirs = shop.register(form="openai"), shop.register("other", form="openai")
    _, new = shop.endpoints.rotate("acme", mine.id, shop.now, keeps_old=True)
    post = told(shop, "response.completed")
    old, wrong = shop.secrets[mine.id], shop.secrets[theirs.id]
    first, second, third = unwrapped(tmp_path, (old, post), (new, post), (wrong, post))
    assert first == second and first.startswith("event response.completed ")
    assert third == "InvalidWebhookSignatureError"


def test_a_body_that_was_changed_is_refused(shop: Shop, tmp_path: Path) -> None:
    mine = shop.register(form="openai")
    post = told(shop, "response.completed")
    changed = post.body.decode().replace("response.completed", "response.failed")
    assert unwrapped(tmp_path, (shop.secrets[mine.id], post), body=changed) == ["InvalidWebhookSignatureError"]
