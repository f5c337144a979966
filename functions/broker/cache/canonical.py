"""What makes two requests the same question: a canonical form, and its hash.

The form is what the model would be asked, and by which rules the answer would be checked. All of a stored request
counts but what is listed in `ASIDE`, so that a field that is new to the contract makes a miss and never a wrong hit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.jobs.idempotency import fingerprint
from broker.prompt_marks import without_marks
from broker.routing.model import Model

GENERATION = 1
"""Raised when answers that are kept should no longer be given, such as after a change of the guardrail rules' code."""

ASIDE = frozenset(
    {
        *("metadata", "webhook", "bus_events", "priority", "deadline_seconds", "timeout_seconds", "ttl_seconds"),
        *("cache", "prompt_cache", "coalesce", "conversation_id", "previous_job_id", "on_unsupported"),
        *("end_user", "asked_by", "data_class"),
        *("history", "prompt_used"),  # notes of how the request was prepared
        *("model", "routing", "prompt", "parameters"),  # these count in the form that is built from them
    }
)
"""Fields of a stored request that do not count as they stand."""

MAKING_FILES = frozenset({"generate_image", "speak"})
"""Tasks whose answers are objects under the job's own key; they go when the job is erased."""

REFERENCES = frozenset({"s3", "url", "image_url", "file_url", "file_id"})
"""Fields of the material whose value may name something that lies elsewhere and may change."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """A request as the cache sees it, for one tenant."""

    tenant: str
    keys: dict[str, str]
    """The hash of the canonical form for each candidate (its id), in their order: an answer is a model's answer."""
    shape: str = ""
    """The hash of all but the last words, for the first candidate: what similar questions share. Empty for none."""

    @property
    def key(self) -> str:
        """Of the model that would be asked first."""
        return next(iter(self.keys.values()))


def cache_key_of(
    tenant: str,
    request: Mapping[str, Any],
    candidates: Sequence[Model],
    guardrails: Mapping[str, Any],
    *,
    embedding_model: str | None = None,
) -> CacheKey | None:
    """What a job asks; None where that cannot be said, and nothing may be kept or shared.

    Args:
        tenant: answers of two tenants never meet.
        request: as prepared: its prompt filled, the turns of its conversation in it.
        candidates: the models that may answer, in order; one at least.
        guardrails: the tenant's settings, and the policies that hold with their versions: an answer has passed these
            and no others.
        embedding_model: the one that similarity is judged with, where it is asked for.
    """
    goes_on = "conversation_id" in request or "previous_job_id" in request
    if request["task"] in MAKING_FILES or (goes_on and "history" not in request):
        return None
    if _refers(_without(request.get("input", {}), "tools")):
        return None
    request = {**request, "input": without_marks(request.get("input", {}))}
    prompt = request.get("prompt_used") or request.get("prompt", {})
    form = {
        **_without(request, *ASIDE),
        "generation": GENERATION,
        "tenant": tenant,
        "guardrails": guardrails,
        "prompt": {name: prompt.get(name) for name in ("id", "version")},
    }
    keys = {model.id: fingerprint(form | _asked_of(model, request)) for model in candidates}
    text, rest = last_words(request) if embedding_model and request["task"] == "chat" else ("", {})
    if not text:
        return CacheKey(tenant, keys)
    shape = form | _asked_of(candidates[0], request) | {"input": rest, "embedding_model": embedding_model}
    return CacheKey(tenant, keys, fingerprint(shape))


def _asked_of(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The model and the parameters as it gets them: its own limit stands in for one that was left out."""
    asked = {name: value for name, value in request.get("parameters", {}).items() if value is not None}
    most = min(asked.get("max_output_tokens", model.max_output_tokens), model.max_output_tokens)
    identity = {"id": model.id, "provider": model.provider, "name": model.name, "endpoint": model.endpoint}
    return {
        "model": identity | {"options": model.options},
        "parameters": asked | {"max_output_tokens": most},
    }


def last_words(request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What similarity is judged by, the text of the last user turn, and the input without it.

    There is no text where the last turn is not a user's.
    """
    given = dict(request.get("input", {}))
    messages = given.get("messages", [])
    if not messages:
        text = given.pop("text", "")
        return (text, given) if isinstance(text, str) else ("", {})
    last = messages[-1]
    if last["role"] != "user":
        return "", {}
    content = last.get("content") or ""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    words = "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    others = [_without(part, "text") for part in parts]
    return words, given | {"messages": [*messages[:-1], {**last, "content": others}]}


def _refers(value: Any, field: str = "") -> bool:
    """True where the material names an object or an address: what lies there may have changed since."""
    match value:
        case str():
            return field in REFERENCES and not value.startswith("data:")
        case list():
            return any(_refers(each, field) for each in value)
        case dict():
            return any(_refers(each, name) for name, each in value.items())
    return False


def _without(form: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in form.items() if name not in names}
