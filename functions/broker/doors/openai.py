"""What OpenAI's routes have in common: names of models and tools, schemas, ids, and how a job's end is told."""

import json
from datetime import datetime

from broker.doors.reading import Fields, Json, refuse
from broker.errors import tree
from broker.prompt_marks import LONG, MARK, SHORT

OWN = "openai."
"""What the names of metadata begin with that stand for a field of OpenAI's which no job has."""

SAID_OF_THE_USER = ("user", "safety_identifier", "prompt_cache_key")
"""Kept with the job and told back; nothing follows from them here."""

SAID_PLACES = {
    **{f"metadata.{OWN}{name}": name for name in SAID_OF_THE_USER},
    "prompt_cache": "prompt_cache_options",
    "prompt_cache.key": "prompt_cache_key",
}
"""Where they stood in the body."""

BREAKPOINT = "prompt_cache_breakpoint"

RETENTIONS = {"in_memory": "5m", "24h": "24h"}
"""OpenAI's words for how long a prompt is to be kept, and a job's."""

ONE_CALL = f"{OWN}parallel_tool_calls"
"""Kept with a job whose answer is to have one call of a tool at most: no more is given, whatever the model did."""


def cached_details(usage: Json) -> Json:
    """What a provider's prompt cache had to do with, of a job's `usage`."""
    return {"cached_tokens": usage["cached_tokens"], "cache_write_tokens": usage["cache_write_tokens"]}


def told_back(fields: Fields, *, calls: bool = True) -> Json:
    """A job's metadata, with those fields that are only told back; `calls` where the answer may call tools."""
    metadata = fields.take("metadata")
    said = {f"{OWN}{name}": text for name in SAID_OF_THE_USER if (text := fields.text(name)) is not None}
    if metadata is not None and not isinstance(metadata, dict):
        refuse(fields.place("metadata"), "it has to be an object", "invalid_field")
    one = {} if not calls or fields.truth("parallel_tool_calls", True) else {ONE_CALL: "false"}
    found = {**(metadata or {}), **said, **one}
    return {"metadata": found} if found else {}


def prompt_cache(fields: Fields, told: Json) -> Json:
    """A job's `prompt_cache`; `told` is what is told back of the request, its key among it."""
    key = told.get("metadata", {}).get(f"{OWN}prompt_cache_key")
    wish: Json = {} if key is None else {"key": key}
    retention = fields.take("prompt_cache_retention")
    if retention is not None:
        if retention not in RETENTIONS:
            refuse(fields.place("prompt_cache_retention"), "only in_memory or 24h is supported")
        wish["ttl"] = RETENTIONS[retention]
    given = fields.take("prompt_cache_options")
    options = Fields({} if given is None else given, fields.place("prompt_cache_options"))
    options.only("mode", "implicit")
    if (ttl := options.take("ttl")) is not None:
        if retention is not None:
            refuse(options.place("ttl"), "it does not go with prompt_cache_retention", "invalid_field")
        wish["ttl"] = ttl
    options.end()
    return {"prompt_cache": wish} if wish else {}


def breakpoint_of(part: Fields) -> Json:
    """The mark of a prompt cache that a part has, as a job's parts have it; empty for none.

    Raises:
        InvalidRequest: it is none.
    """
    given = part.take(BREAKPOINT)
    if given is None:
        return {}
    found = Fields(given, part.place(BREAKPOINT))
    found.only("mode", "explicit")
    ttl = found.take("ttl")
    if ttl not in (None, "30m", "12h"):
        refuse(found.place("ttl"), "only 30m or 12h is supported")
    found.end()
    return {MARK: {"type": "ephemeral", "ttl": SHORT if ttl is None else LONG}}


def retention_of(asked: Json) -> str | None:
    """The `prompt_cache_retention` that a request had."""
    ttl = asked.get("prompt_cache", {}).get("ttl")
    return next((theirs for theirs, ours in RETENTIONS.items() if ours == ttl), None)


def lane(fields: Fields) -> Json:
    """The lane by `service_tier`: `flex` is work that can wait."""
    tier = fields.take("service_tier")
    if tier not in (None, "auto", "default", "flex"):
        refuse(fields.place("service_tier"), "only auto, default or flex is supported")
    return {"priority": "bulk"} if tier == "flex" else {}


def tier_of(asked: Json) -> str:
    """The `service_tier` that a request had, told truly."""
    return "flex" if asked.get("priority") == "bulk" else "default"


def schema_of(fields: Fields, kept: Json) -> Json:
    """A job's `output_schema` of the fields of OpenAI's `json_schema`; gives `kept` with it."""
    schema = fields.need("schema")
    name, description = fields.text("name"), fields.text("description")
    fields.only("strict", True, False)  # an answer is held against its schema in any case
    fields.end()
    if not isinstance(schema, dict):
        refuse(fields.place("schema"), "it has to be an object", "invalid_field")
    said = {"title": name, "description": description}
    kept["output_schema"] = {**{word: text for word, text in said.items() if text is not None}, **schema}
    return kept


def public_id(prefix: str, job_id: str) -> str:
    """A job's id in OpenAI's words, such as `resp_…`."""
    return f"{prefix}{job_id.removeprefix('job_')}"


def job_id_of(prefix: str, given: str) -> str:
    """The job of such an id; a text that is no id of a job where it is none."""
    return f"job_{given.removeprefix(prefix)}" if given.startswith(prefix) else ""


def seconds(iso: str | None) -> int | None:
    """Epoch seconds of a time of a job's view."""
    return None if iso is None else int(datetime.fromisoformat(iso).timestamp())


def metadata_of(view: Json) -> tuple[Json, Json]:
    """The client's own metadata, and the fields that were kept with them."""
    kept = view["metadata"]
    own = {name: text for name, text in kept.items() if not name.startswith(OWN)}
    return own, {name: kept[f"{OWN}{name}"] for name in SAID_OF_THE_USER if f"{OWN}{name}" in kept}


def calls_of(view: Json) -> list[Json]:
    """The calls of tools that the client is given."""
    calls: list[Json] = (view["output"] or {}).get("tool_calls", [])
    return calls[:1] if ONE_CALL in view["metadata"] else calls


def text_of(output: Json) -> str:
    """What was said; of an answer in form, its JSON."""
    if output.get("text") or "json" not in output:
        return str(output.get("text", ""))
    return json.dumps(output["json"], ensure_ascii=False)


STATUSES = {kind.type: kind.status for kind in tree() if "type" in vars(kind)} | {
    **dict.fromkeys(("blocked", "refused", "context_exceeded"), 400),
    "canceled": 409,
    "expired": 504,
}
"""The HTTP status by which a job's error is told to who waits for its answer; of a type that several classes have, that
of the first."""

CODES = {"context_exceeded": "context_length_exceeded"}
"""Codes that clients of OpenAI's look for, by the type of a job's error; all others stand as they are."""


def failure_of(view: Json) -> tuple[int, Json]:
    """The status, and the error, of a job that ended without an answer."""
    error = view["error"] or {
        "type": view["status"],
        "code": view["status"],
        "message": "The job ended without an answer.",
    }
    told = {"type": error["type"], "code": CODES.get(error["type"], error["code"]), "message": error["message"]}
    return STATUSES.get(error["type"], 500), told | {"param": error.get("param")}
