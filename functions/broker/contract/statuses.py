"""Statuses and headers of replies, and what each means."""

from broker.contract.operation import LIMITED_ANTHROPIC, LIMITED_OPENAI, Json
from broker.json_text import MAX_BODY_BYTES

ERRORS = {
    400: "A field, parameter or body is at fault; `param` names it.",
    401: "The credential is missing, unknown or expired.",
    402: "The tenant's budget, or the request's own limit, does not cover the worst case of the work.",
    403: "The credential lacks the scope, or the tenant may not use what the request names.",
    404: "There is no such thing, or it belongs to another tenant.",
    409: "The state of things forbids it now: the first request with this key is being accepted, the job has ended, or "
    "the entry was changed meanwhile.",
    413: f"The body has more than {MAX_BODY_BYTES:,} bytes.",
    422: "The Idempotency-Key was used with another body; or, of a job that was waited for, no model took the request.",
    429: "Too many requests: of all, or of the caller's limits, which `limit` then tells.",
    500: "Something went wrong on the broker's side.",
    502: "A job that was waited for failed: its models gave no answer that is one, or would not let the broker ask.",
    504: "The answer is not there yet, and goes on under the id that the error names; or the job's own time was over.",
    503: "The broker is busy, or a store of its cannot be read right now: come again. Or a guardrail policy that is to "
    "hold is missing.",
    529: "The same, as Anthropic's clients are told it.",
}
CODES = {
    401: ("unauthorized",),
    403: ("forbidden", "missing_scope", "tenant_disabled", "unknown_tenant"),
    413: ("body_too_large",),
    429: ("rate_limit_exceeded", "request_rate"),
    500: ("internal_error",),
    503: ("busy", "contention", "not_answered", "store_unavailable"),
    529: ("busy", "contention", "store_unavailable"),
}
"""Codes of what any route may be refused by: API Gateway's own and those of the door."""

EVERYWHERE = (401, 403, 429, 500, 503)
SIGNED_EVERYWHERE = (403, 404, 429, 500, 503)
"""API Gateway answers 404 to a call of the operators' routes that is not signed."""
PUBLIC_EVERYWHERE = (429, 500, 503)
WITH_RETRY_AFTER = (409, 429, 503, 529)
EITHER = "either_"
"""What begins the names of errors that are told in one of two forms: Anthropic's to who speaks its dialect."""
IDS = ("Request-Id", "X-Request-Id")
"""Headers of every reply."""

HEADERS: dict[str, Json] = {
    "Cache-Control": {"description": "How long it may be kept.", "schema": {"type": "string"}},
    "Content-Security-Policy": {"description": "What the page may load: nothing.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "To be saved, not shown.", "schema": {"type": "string"}},
    "X-Content-Type-Options": {"description": "`nosniff`.", "schema": {"type": "string"}},
    "ETag": {
        "description": "Of what is shown, for `If-None-Match`; of operators' entries the version, for `If-Match` too.",
        "schema": {"type": "string"},
    },
    "Link": {"description": 'Where the next page is (`rel="next"`, RFC 8288).', "schema": {"type": "string"}},
    "Location": {
        "description": "The job or batch, as the caller reaches the API; or where a file's bytes are.",
        "schema": {"type": "string", "format": "uri"},
    },
    "Preference-Applied": {"description": "The `Prefer` that was followed.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where the job was there already.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "RateLimit-Policy": {
        "description": "The caller's limits, by the IETF's draft: `q` in `w` seconds. Only where there are any.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "How they stand: `r` are left, and in `t` seconds all of it is back.",
        "schema": {"type": "string"},
    },
    **{
        name: {"description": f"The same, as {whose} clients read it.", "schema": {"type": "string"}}
        for whose, names in (("OpenAI's", LIMITED_OPENAI), ("Anthropic's", LIMITED_ANTHROPIC))
        for name in names
    },
    "Retry-After": {
        "description": "Seconds to wait before a repeat, or another look at what goes on, makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Retry-After-Ms": {
        "description": "The same in milliseconds, which clients prefer that know it.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-Request-Id": {"description": "The request's id, for support.", "schema": {"type": "string"}},
    "Request-Id": {"description": "The same, where Anthropic's clients look for it.", "schema": {"type": "string"}},
    "X-Should-Retry": {
        "description": "Whether a client that repeats by itself is to.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
}

OWN = {
    200: "Done.",
    201: "Kept.",
    202: "Taken; it goes on in the background.",
    204: "Done; there is nothing to show.",
    304: "There is nothing new since the reply that had this `ETag`.",
    303: "The sound is at `Location` for a quarter of an hour, to be read there without the credential of this call.",
    307: "The bytes are at `Location` for a quarter of an hour, to be read there without the credential of this call.",
    400: "The message is none, or says what does not go together.",
    404: "There is no such method.",
    410: "The job's answer was erased, or kept no longer than its `ttl_seconds`; all else that is known of the job.",
}
"""Replies that a route describes itself, by status."""
