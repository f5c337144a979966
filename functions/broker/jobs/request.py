"""What a client may ask for: the body of `POST /v1/jobs`, the detail of `InferenceRequested`, a line of a batch."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from broker.errors import InvalidRequest
from broker.jobs.field_errors import NEEDED, Spelled, at, few, here, place, words
from broker.jobs.fields import (
    Cache,
    Context,
    Input,
    Parameters,
    Priority,
    Prompt,
    Routing,
    Strict,
    Task,
    Webhook,
    own_name,
)
from broker.jobs.messages import check_results
from broker.jobs.prompt_caching import PromptCache
from broker.json_text import check_depth

MOST_WAIT_S = 604_800
"""A week: the longest deadline and time budget."""

MOST_METADATA = 16

Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=MOST_METADATA),
    BeforeValidator(lambda given: few(given, MOST_METADATA)),
]

OWN_FIELD = "^[A-Za-z][A-Za-z0-9_]{0,63}$"
"""The name of a provider, or of a field of its own."""

NEEDS: dict[Task, tuple[str, ...]] = {
    **dict.fromkeys(
        (Task.EMBED, Task.SENTIMENT, Task.ENTITIES, Task.GENERATE_IMAGE, Task.SPEAK, Task.CONVERSE),
        ("text",),
    ),
    Task.CLASSIFY: ("text", "labels"),
    Task.TRANSLATE: ("text", "target_language"),
    **dict.fromkeys((Task.EXTRACT_TEXT, Task.ANALYZE_IMAGE, Task.TRANSCRIBE), ("file",)),
    Task.CUSTOM: ("body",),
    Task.MODERATE: (),  # a text or a picture
}
"""The fields of `input` that each task but chat cannot do without."""

MANY_TEXTS = frozenset({Task.EMBED, Task.MODERATE})

MOST_OPTIONS = 16

OwnField = Annotated[str, Spelled(OWN_FIELD, "it has to be the name of a field: up to 64 letters, digits and '_'")]


def _few_options(given: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if sum(map(len, given.values())) > MOST_OPTIONS:
        raise here(f"it has to have {MOST_OPTIONS} fields at most")
    return given


ProviderOptions = Annotated[
    dict[OwnField, Annotated[dict[OwnField, Any], BeforeValidator(lambda given: few(given, MOST_OPTIONS))]],
    BeforeValidator(lambda given: few(given, MOST_OPTIONS)),
    AfterValidator(_few_options),
]

Parsed = TypeVar("Parsed", bound=Strict)


def from_text(given: Any) -> Any:
    """An input that is a text alone, in full."""
    return {"text": given} if isinstance(given, str) else given


class JobRequest(Strict):
    """One piece of work."""

    model_config = ConfigDict(
        defer_build=False,
        json_schema_extra={
            "anyOf": [{"required": ["input"]}, {"required": ["prompt"], "properties": {"prompt": {"type": "object"}}}]
        },
    )

    task: Task = Task.CHAT
    input: Annotated[Input, BeforeValidator(from_text, Input | str)] = Field(default_factory=Input)
    """A text alone stands for `{"text": …}`."""
    prompt: Prompt | None = None
    model: Annotated[str, Field(min_length=1, max_length=128)] = "auto"
    routing: Routing = Field(default_factory=Routing)
    parameters: Parameters = Field(default_factory=Parameters)
    output_schema: dict[str, Any] | None = None
    cache: Cache | None = None
    prompt_cache: PromptCache | None = None
    """Have the provider keep what it reads, for the next request that begins the same."""
    provider_options: ProviderOptions | None = None
    """By provider, fields of its own, of those that operators allow."""
    on_unsupported: Literal["refuse", "drop_and_tell"] = "drop_and_tell"
    """What becomes of a field that one candidate takes and the next does not: that one is not asked, or without it."""
    coalesce: bool = False
    """Share one provider call with identical jobs that are under way."""
    context: Context = Field(default_factory=Context)
    conversation_id: Annotated[str, own_name(1, 128)] | None = None
    """The turns of this conversation that are kept come before the request's own, and its turns are kept."""
    previous_job_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """An ended job of the tenant's that this one goes on from: what was asked and answered up to it comes first."""
    webhook: Webhook | None = None
    bus_events: bool | None = None
    """Tell the event bus of this job, or do not; unless said, as the stack was deployed."""
    priority: Priority = Priority.INTERACTIVE
    deadline_seconds: int = Field(default=3600, ge=1, le=MOST_WAIT_S)
    """The job expires when it has not ended so many seconds after it was accepted."""
    timeout_seconds: int = Field(default=120, ge=1, le=MOST_WAIT_S)
    """The time budget of the work itself, once it runs; it decides the size of the workflow."""
    ttl_seconds: int = Field(default=604_800, ge=60, le=31_536_000)
    """How long request and result are kept after acceptance."""
    end_user: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Which of the caller's own users it is for: budgets of the tenant may go by it. Needs the scope `users:name`."""
    data_class: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """What kind of data it holds, in the operators' words; permissions may go by it."""
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_material(self) -> Self:
        if self.task is Task.CHAT:
            if self.input.messages is None and not self.input.text and self.prompt is None:
                raise at("input", "input.messages, input.text or prompt is needed")
            if self.conversation_id is not None and self.previous_job_id is not None:
                raise at("previous_job_id", "a job goes on from another one or in a conversation, not both")
            goes_on = self.conversation_id is not None or self.previous_job_id is not None
            check_results(self.input.messages or (), goes_on=goes_on)
            return self
        if self.previous_job_id is not None:
            raise at("previous_job_id", f"jobs go on in chats, not in {self.task}")
        for name in NEEDS[self.task]:
            if not getattr(self.input, name):
                raise at(f"input.{name}", f"{NEEDED} for {self.task}")
        if self.task is Task.MODERATE:
            self._has_one_thing_to_judge()
        if self.provider_options:
            raise at("provider_options", f"they are for chats, not for {self.task}")
        if self.prompt_cache is not None:
            raise at("prompt_cache", f"it is for chats, not for {self.task}")
        if self.prompt is not None:
            raise at("prompt", f"prompts are for chats, not for {self.task}")
        if self.task not in MANY_TEXTS and isinstance(self.input.text, list):
            raise at("input.text", f"it is one text for {self.task}")
        return self

    def _has_one_thing_to_judge(self) -> None:
        if not self.input.text and self.input.file is None:
            raise at("input.text", "a text or a file is needed for moderate")
        if self.input.text and self.input.file is not None:
            raise at("input.file", "moderate takes a text or a file, not both")

    @model_validator(mode="after")
    def _is_kept_while_it_lives(self) -> Self:
        # A deadline that is not named comes no later (`times`).
        if "deadline_seconds" in self.model_fields_set and self.ttl_seconds < self.deadline_seconds:
            raise at("ttl_seconds", "it is less than deadline_seconds: the prompt would be gone before the job's end")
        return self


def parse_request(body: Any) -> JobRequest:
    """Check a body against the contract.

    Raises:
        InvalidRequest: see `parsed`.
    """
    return parsed(JobRequest, body)


def parsed(model: type[Parsed], body: Any) -> Parsed:
    """A body as one of the contract's models.

    Raises:
        InvalidRequest: names the first field at fault in `param` (dotted) and counts the others.
    """
    if not isinstance(body, Mapping):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_body")
    check_depth(body)
    try:
        request = model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        fields = list(dict.fromkeys(place(each, body) for each in found))
        more = f" ({len(fields) - 1} more fields are at fault)" if len(fields) > 1 else ""
        message = f"{fields[0] or 'The body'}: {words(found[0])}{more}"
        raise InvalidRequest(message, code="invalid_field", param=fields[0]) from None
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # half of a surrogate pair, NaN: Python's parser lets them through, and nothing after it does
        raise InvalidRequest("The body must be JSON by RFC 8259.", code="invalid_body") from None
    return request


def stored_form(request: JobRequest) -> dict[str, Any]:
    """The request as it is kept: what was asked, without the defaults of what was not."""
    return request.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"task": request.task.value}


def times(request: JobRequest, usual_s: int | None) -> tuple[int, int]:
    """Seconds for the work, and until the deadline; where neither is named, long work has its time, and twice that."""
    named = request.model_fields_set
    budget = request.timeout_seconds if usual_s is None or "timeout_seconds" in named else usual_s
    within = request.deadline_seconds
    if "deadline_seconds" not in named:
        within = min(max(within, 2 * budget), MOST_WAIT_S, request.ttl_seconds)
    return budget if "timeout_seconds" in named else min(budget, within), within
