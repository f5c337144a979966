"""Stored prompts: what is told of them, and the body of a run, a job request whose prompt is named by the path."""

from typing import Any, Literal

from pydantic import BaseModel, create_model

from broker.contract.common import Count, Shown
from broker.jobs.fields import Prompt, Strict
from broker.jobs.request import JobRequest
from broker.rest.prompt_runs import NOT_TAKEN, OF_THE_PROMPT

_FIELDS: dict[str, Any] = {
    name: (field.annotation, field)
    for name, field in {
        **{name: Prompt.model_fields[name] for name in OF_THE_PROMPT},
        **{name: field for name, field in JobRequest.model_fields.items() if name not in NOT_TAKEN},
    }.items()
}

PromptRun: type[BaseModel] = create_model(
    "PromptRun",
    __base__=Strict,
    __doc__="The values for a prompt's variables, and what else a job may say.",
    **_FIELDS,
)


class StoredPrompt(Shown):
    """A stored prompt, as far as who runs it needs to know it."""

    id: str
    object: Literal["prompt"]
    version: Count
    """What a run gets that names neither version nor label; where a label divides the traffic, the larger share."""
    description: str | None
    labels: dict[str, list[Count]]
    """The versions that each label stands for."""
    variables: dict[str, dict[str, Any]]
    """What a run gives, by name, in words of JSON Schema; each that has no `default` is needed."""


class PromptList(Shown):
    """A page of prompts, in order of their ids."""

    object: Literal["list"]
    data: list[StoredPrompt]
    next_cursor: str | None
    """For the next page; null on the last."""
