"""What a provider's error means, in the classes of the tree: one table for all formats that speak JSON over HTTP.

The status says what a code does not, and a code what the words do not. Words are the last resort, for services without
codes; those that a prompt could bring about with itself (by being quoted) either end nothing but its own job, or are
looked for at the beginning alone, where no service quotes.
"""

import re
from collections.abc import Mapping
from typing import Any

from broker import clock
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.wire.error_body import ErrorBody, read_error_body
from broker.providers.wire.field_names import named
from broker.providers.wire.values import counted, field

Kind = type[BrokerError]

STATUSES: dict[int, Kind] = {
    **dict.fromkeys((400, 413, 415, 422), Rejected),
    **dict.fromkeys((404, 405, 410), ModelGone),
    # 402 is an unpaid bill: as with a wrong key, only an operator can help. So can nobody else with a bare 403.
    **dict.fromkeys((401, 402, 403), CredentialRejected),
    **dict.fromkeys((429, 529), Throttled),  # 529 is Anthropic's, for an overload
    # Sent by who stopped waiting (524 is Cloudflare's): the model behind it may have done the work.
    **dict.fromkeys((408, 504, 524), ModelTimedOut),
    451: Refused,
}
"""What a status means. All others, 5xx and redirects among them, are `Unavailable`."""

TURNED_AWAY = frozenset({501, 503, 505, 529})
"""The request was not taken up, so nothing is paid; after any other 5xx nobody knows."""

_SAID: dict[Kind, str] = {
    Rejected: "The provider does not take the request",
    Refused: "The provider's content policy refused the request",
    ContextExceeded: "The prompt is longer than the model's context window",
    Throttled: "The provider asks for a pause",
    Unavailable: "The provider could not answer",
    ModelTimedOut: "The provider says that the model took too long",
    ModelGone: "The provider does not have the model, or does not let us use it",
    CredentialRejected: "The provider does not accept the broker's key, or its account",
    BadOutput: "The provider says that the model's output was malformed",
}

CODES: tuple[tuple[Kind, frozenset[str]], ...] = (
    (
        Refused,
        frozenset(
            {
                *("content_filter", "content_filtered", "content_policy_violation", "image_content_policy_violation"),
                *("moderation_blocked", "invalid_prompt", "responsibleaipolicyviolation", "prohibited_content"),
                *("data_inspection_failed", "datainspectionfailed", "sensitive_words_detected", "safety"),
            }
        ),
    ),
    (
        ContextExceeded,
        frozenset({"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"}),
    ),
    (
        # `insufficient_quota` comes as a 429, but no pause helps an account without credit; a wrong key is a 400 at
        # Google's.
        CredentialRejected,
        frozenset(
            {
                *("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"),
                *("insufficient_credits", "insufficient_balance", "arrearage", "account_deactivated"),
                *("invalid_api_key", "authentication_error", "unauthenticated", "keyinvalid", "keyexpired"),
                *("api_key_invalid", "api_key_expired", "api_key_service_blocked", "api_key_ip_address_blocked"),
                *("billing_disabled", "service_disabled", "failed_precondition"),
            }
        ),
    ),
    (
        Throttled,
        frozenset(
            {
                *("rate_limit_exceeded", "rate_limit_error", "rate_limited", "ratelimitreached", "too_many_requests"),
                *("overloaded_error", "overloaded", "engine_overloaded", "slow_down", "resource_exhausted"),
                *("ratelimitexceeded", "userratelimitexceeded", "dailylimitexceeded", "quotaexceeded"),
                "service_tier_capacity_exceeded",
            }
        ),
    ),
    (
        ModelGone,
        frozenset(
            {
                *("model_not_found", "model_not_available", "model_not_supported", "model_decommissioned"),
                *("model_deprecated", "model_terms_required", "invalid_model", "unknown_model", "unsupported_model"),
                *("deploymentnotfound", "operationnotsupported", "not_found_error", "not_found"),
                *("unsupported_country_region_territory",),
            }
        ),
    ),
    (ModelTimedOut, frozenset({"timeout_error", "deadline_exceeded"})),
    (BadOutput, frozenset({"tool_use_failed", "json_validate_failed", "output_parse_failed"})),
)
"""Codes, types and reasons that say more than the status, in lower case; the first row that fits."""

REJECTIONS = frozenset(
    {
        *("unsupported_value", "unsupported_parameter", "unknown_parameter", "missing_required_parameter"),
        *("invalid_value", "invalid_type", "extra_forbidden", "missing", "string_above_max_length"),
        *("string_below_min_length", "array_above_max_length", "array_below_min_length", "integer_above_max_value"),
        *("integer_below_min_value", "decimal_above_max_value", "decimal_below_min_value", "invalid_json_schema"),
        *("invalid_function_parameters", "invalid_base64", "invalid_image", "invalid_image_format"),
        *("invalid_image_url", "invalid_base64_image", "image_too_large", "image_too_small", "image_parse_error"),
        *("unsupported_image_media_type", "failed_to_download_image", "image_file_too_large", "unsupported_file"),
        *("request_too_large", "invalid_argument"),
    }
)
"""Codes of a rejection that are told on; any other is told as its status."""

_ARE_400 = REJECTIONS | {"invalid_request_error", "badrequesterror", "bad_request", "validation_error", "validation"}
"""What makes an error in a 200 a rejection."""

_LONG = re.compile(
    r"maximum context|context (?:length|window|limit)|max_context_length|context size"
    r"|(?:prompt|input) is too long|prompt too long|maximum (?:prompt|model) length|range of input length"
    r"|input tokens exceed|input token count|too many (?:input )?tokens|exceeds the maximum number of tokens allowed"
    r"|reduce the length of|too large for model with|prompt exceeds|exceeded model token limit|input length"
    r"|inputs` tokens \+ `max_new_tokens` must be|inputs` must have less than|tokens in request more than max"
)
_NO_PROMPT = re.compile(r"please wait|max(?:imum)? tokens must be less than")
"""Of a limit on tokens a minute, or of one on the answer: no larger window helps."""
_REFUSED = re.compile(
    r"usage (?:guideline|polic)|acceptable use|content[ _-](?:filter|polic|moderation|guideline|management polic)"
    r"|content violates|safety (?:system|check|filter|polic|guideline)|safety_check|(?:been|was|were) flagged"
    r"|responsible ai|requires? moderation|moderation (?:system|polic)|model armor|prohibited content"
    r"|blocked by (?:the |our )?(?:content|safety|moderation|guardrail)"
)
_OF_POLICY = re.compile(r"moderat|safety|guideline|flagged|violat|harmful|prohibited")
_OF_CONTENT = re.compile(r"\b(?:content|polic(?:y|ies))\b")
_OF_ACCOUNT = re.compile(
    r"\b(?:api|key|token|account|subscription|permission|authori[sz]|organi[sz]ation|project|access|network|firewall|role"
    r"|region|country|territory|location)"
)
_MODEL = r"(?:the |requested )*model:? ?(?:[`'\"(]?[\w./:@-]{1,160}[`'\")]?)?,? "
_GONE = re.compile(
    f"{_MODEL}(?:does not exist|not exist|(?:was )?not found|(?:has been|is|was) (?:deprecated|decommissioned|retired"
    "|removed|shut down|restricted|no longer|not (?:found|available|supported by any)))"
    r"|no model found|(?:invalid|unknown) model\b|[\w./:@-]{1,120} is not a valid model"
    r"|this model is (?:not available|no longer)"
    r"|no endpoints found(?! that support)|no allowed providers|(?:unable to access|(?:no )?access to) model"
    r"|(?:you|your|project|the project|this account).{0,120}? access to (?:the |this )?model"
    r"|unsupported country|user location is not supported"
)
"""How messages begin; further on they may quote the request."""
_UNPAID = re.compile(r"your credit balance is too low|api key not valid|(?:incorrect|invalid) api key")
_BUSY = re.compile(
    r"request too large for model|rate limit (?:reached|exceeded)|too many (?:requests|tokens, please wait)"
)

_READABLE = (400, 403, 404, 413, 422, 500)
"""Statuses under which services tell with words alone what has a class of its own."""

_HEADER = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(ms|s)?\s*", re.IGNORECASE)
LONGEST_PAUSE_S = 86_400.0


def failure(status: int, headers: Mapping[str, str], body: Any = None, *, places: bool = False) -> BrokerError:
    """The error that a reply stands for.

    Args:
        status: of HTTP.
        headers: by lower-case name.
        body: the JSON of it, or its text.
        places: True where the messages that were sent are the request's, one for one.
    """
    said = read_error_body(body)
    kind, code = _kind(status, said)
    later = retry_after(headers)
    if kind is Unavailable and status == 503 and later is not None:
        kind = Throttled
    if kind is Rejected:
        known = next((each for each in said.codes if each in REJECTIONS), f"http_{status}")
        param = named(said, places=places)
        return Rejected(f"{_SAID[kind]} (HTTP {status}).", code=known, param=param)
    if kind is Throttled and later is None:
        later = None if said.pause is None else min(said.pause, LONGEST_PAUSE_S)
    return kind(
        f"{_SAID[kind]}{'' if kind in (Refused, ContextExceeded) else f' (HTTP {status})'}.",
        code=None if kind is ContextExceeded else code or f"http_{status}",
        retry_after=later if kind is Throttled else None,
        maybe_paid=kind is BadOutput or (issubclass(kind, Unavailable) and work_may_be_done(status)),
    )


def work_may_be_done(status: int) -> bool:
    """Whether who answered so may have done, and may charge for, the work."""
    return status == 408 or (status >= 500 and status not in TURNED_AWAY)


def in_reply(body: Any) -> int:
    """The status that an error which came with a 200 stands for; 0 where there is none in the body."""
    if not isinstance(body, dict):
        return 0
    if not (body.get("error") or "error" in (body.get("type"), body.get("object"))):
        return 0
    said = read_error_body(body)
    if said.status:
        return said.status
    return 400 if any(code in _ARE_400 for code in said.codes) else 500


def failure_in_reply(status: int, body: Any, *, places: bool = False) -> BrokerError:
    """`failure` for an error in a 200: the call went through, and may be paid for as its usage says."""
    error = failure(status, {}, body, places=places)
    usage = field(body, "usage")
    into, out = (
        counted(*(field(usage, name) for name in names))
        for names in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
    )
    if into or out:
        error.tokens = (into or 0, out or 0)
    error.maybe_paid = error.maybe_paid or error.tokens is not None or type(error) is Unavailable
    return error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: `retry-after-ms` (OpenAI's) where it is there, else `Retry-After`; some write `2s`."""
    for name, unit in (("retry-after-ms", "ms"), ("retry-after", "s")):
        found = _HEADER.fullmatch(headers.get(name, ""))
        if found:
            seconds = float(found[1]) / (1000 if (found[2] or unit).lower() == "ms" else 1)
            return min(seconds, LONGEST_PAUSE_S)
    later = clock.retry_after(headers.get("retry-after"))
    return None if later is None else min(later, LONGEST_PAUSE_S)


def too_long(words: str) -> bool:
    """Whether a service says, in lower case, that a prompt is beyond the model's window."""
    return bool(_LONG.search(words)) and not _NO_PROMPT.search(words)


def declined(words: str) -> bool:
    """Whether a service says, in lower case, that its policy declines a request."""
    return bool(_REFUSED.search(words))


def _kind(status: int, said: ErrorBody) -> tuple[Kind, str | None]:
    """The class, and the code that told it."""
    readable = status in _READABLE
    if readable and any(map(declined, said.words)):
        return Refused, next(iter(_known(Refused, said)), "content_policy")
    gone = readable and any(map(_GONE.match, said.words))
    if status == 403 and not gone and _is_of_policy(said):  # a model's name may sound like a policy
        return Refused, "content_policy"
    by_code = next(((kind, code) for kind, _ in CODES for code in _known(kind, said)), None)
    if by_code and by_code[0] in (Refused, ContextExceeded):
        return by_code
    if gone:
        return ModelGone, next(iter(_known(ModelGone, said)), None)
    if by_code:
        return by_code
    if readable and any(map(_BUSY.match, said.words)):
        return Throttled, None
    if readable and any(map(_UNPAID.match, said.words)):
        return CredentialRejected, None
    if readable and status != 404 and any(map(too_long, said.words)):
        return ContextExceeded, None
    if status == 404 and any(words.startswith("no endpoints found that support") for words in said.words):
        return Rejected, None  # OpenRouter's, of what the request asks for
    return STATUSES.get(status, Unavailable), None


def _known(kind: Kind, said: ErrorBody) -> list[str]:
    return [code for each, codes in CODES if each is kind for code in said.codes if code in codes]


def _is_of_policy(said: ErrorBody) -> bool:
    """A 403 is a moderation's, or it is about a key or an account; the two are known by their words."""
    words = " ".join(said.words)
    if _OF_POLICY.search(words):
        return True
    return bool(_OF_CONTENT.search(words)) and not _OF_ACCOUNT.search(words)
