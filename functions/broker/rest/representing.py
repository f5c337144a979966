"""How a reply goes out, the same for all routes: tags and `304`, links to the next page, problem details."""

import hashlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from broker.rest.http import Reply, Request

PROBLEM = "application/problem+json"

PROBLEM_TYPE = "urn:inference-broker:error:"
"""Before an error's code: the `type` of its problem details, a name that nothing is found under."""

MARKS = ("cursor", "after", "after_id")
"""Parameters that say where a page begins."""

MOVES = frozenset({"eta_seconds"})
"""Members of a body that change with time alone: nothing is new when they do."""


def represented(reply: Reply, request: Request) -> Reply:
    """The reply as this request wants it."""
    if reply.status >= 400:
        # What has more than the error stays: another dialect's form, and a job whose answer is gone.
        alone = reply.body.keys() == {"error"}
        return _problem(reply) if alone and _accepts_problems(request) else reply
    if request.method not in ("GET", "HEAD") or reply.status != 200 or not isinstance(reply.body, dict):
        return reply
    headers = _link(reply, request) | reply.headers
    text = json.dumps(reply.body, ensure_ascii=False)
    if "etag" not in headers:  # operators' entries are tagged by their version, for `If-Match`
        headers |= {"etag": _tag(reply.body, text, request)}
    if is_known(headers["etag"], request.headers.get("if-none-match", "")):
        return Reply(304, None, headers)
    return replace(reply, body=text, headers=headers)


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether a caller who sent this header has what the tag is of (RFC 9110, section 13.1.2: by weak comparison)."""
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return not known.isdisjoint({"*", tag.removeprefix("W/")})


def _tag(body: dict[str, Any], text: str, request: Request) -> str:
    """A weak tag, for API Gateway may compress what it is of (RFC 9110, section 8.8.3); another for each caller.

    It is of all that is shown but what time alone changes. A link that is signed anew is something new.
    """
    if body.keys() & MOVES:
        text = json.dumps({name: value for name, value in body.items() if name not in MOVES}, ensure_ascii=False)
    caller = " ".join([request.tenant, request.principal, *sorted(request.scopes)])
    digest = hashlib.sha256(f"{caller}\n{text}".encode("utf-8", "surrogatepass"))
    return f'W/"{digest.hexdigest()[:32]}"'


def _link(reply: Reply, request: Request) -> dict[str, str]:
    """The next page of a list (RFC 8288), by the mark that the list's own body gives for it."""
    body = reply.body
    if "before_id" in request.query:
        return {}
    if body.get("next_cursor"):
        more = {"cursor": body["next_cursor"]}
    elif body.get("has_more") and body.get("last_id"):
        more = {"after" if body.get("object") == "list" else "after_id": body["last_id"]}  # OpenAI's, or Anthropic's
    else:
        return {}
    kept = {name: value for name, value in request.query.items() if name not in MARKS}  # one place, not two
    path = request.resource
    for name, value in request.path.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="%"))
    return {"link": f'<{request.base_url}{path}?{urlencode(kept | more)}>; rel="next"'}


def _accepts_problems(request: Request) -> bool:
    kinds = (each.partition(";")[0].strip().lower() for each in request.headers.get("accept", "").split(","))
    return PROBLEM in kinds


def _problem(reply: Reply) -> Reply:
    """An error as problem details (RFC 9457): its facts, and what stands beside them, as further members."""
    error = reply.body["error"]
    told = {
        "type": PROBLEM_TYPE + error["code"],
        "title": error["type"].replace("_", " ").capitalize(),
        "status": reply.status,
        "detail": error["message"],
        **{name: value for name, value in error.items() if name not in ("type", "message")},
    }
    return replace(reply, body=told, headers=reply.headers | {"content-type": PROBLEM})
