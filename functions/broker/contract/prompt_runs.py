"""The body of `POST /prompts/{id}/run`: a job request whose prompt is named by the path."""

from typing import Any

from pydantic import BaseModel, create_model

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
