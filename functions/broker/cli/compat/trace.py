"""Recordings of calls: HAR 1.2, as browsers and proxies save them, or a call as JSON on each line.

    {"method": "POST", "path": "/v1/chat/completions", "headers": {…}, "body": {…}}

Source: "HTTP Archive (HAR) format", version 1.2.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.cli.compat.call import Call, json_of
from broker.errors import InvalidRequest

VERSION = "/v1"
"""Where paths of OpenAI's and Anthropic's APIs begin, whatever a gateway puts before it."""


def calls_in(path: Path) -> list[Call]:
    """The calls of a recording, in order; those of other APIs are left out.

    Raises:
        InvalidRequest: it is none, by the line, or the number of the entry.
    """
    text = path.read_text(encoding="utf-8-sig")
    whole = json_of(text)
    if isinstance(whole, dict) and "log" in whole:
        return [call for call in _of_entries(whole["log"]) if call is not None]
    return [call for call in _of_lines(text) if call is not None]


def path_of(url: str) -> str | None:
    """The path from the version on; None where a URL has none."""
    _, found, rest = urlsplit(url).path.partition(f"{VERSION}/")
    return f"/{rest}".rstrip("/") if found else None


def _of_lines(text: str) -> Iterator[Call | None]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            headers = given.get("headers", {})
            body, method, url = given.get("body"), str(given["method"]).upper(), str(given.get("path") or given["url"])
            yield _call(method, url, dict(headers), json_of(body) if isinstance(body, str) else body)
        except (ValueError, KeyError, TypeError, AttributeError):
            message = f"Line {number} is no call; it has to be an object with method, path (or url), and body."
            raise InvalidRequest(message, param=f"line {number}") from None


def _of_entries(log: Any) -> Iterator[Call | None]:
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise InvalidRequest("The HAR file has no list of entries.", param="log.entries")
    for number, entry in enumerate(entries):
        try:
            yield _of_har(entry["request"])
        except (ValueError, KeyError, TypeError, AttributeError):
            message = f"Entry {number} is no call, as HAR has it: its request has a method, a URL and headers."
            raise InvalidRequest(message, param=f"log.entries.{number}") from None


def _of_har(request: Any) -> Call | None:
    headers = {each["name"]: each["value"] for each in request.get("headers", ())}
    sent = request.get("postData") or {}
    text = sent.get("text")
    if sent.get("encoding") == "base64" and text:
        text = base64.b64decode(text).decode(errors="replace")
    return _call(request["method"].upper(), request["url"], headers, json_of(text), str(sent.get("mimeType", "")))


def _call(method: str, url: str, headers: dict[str, Any], body: Any, kind: str = "") -> Call | None:
    path = path_of(url)
    if path is None or method == "OPTIONS":
        return None
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    kind = kind or named.get("content-type", "")
    return Call(method, path, named, body, is_form=kind.lower().startswith("multipart/"))
