"""A text that is to be tried against guardrail policies, without a job: the body of `POST /v1/guardrails/check`."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from broker.guardrails.policy import Stage
from broker.jobs.field_errors import at
from broker.jobs.fields import Input, Strict
from broker.jobs.request import from_text, parsed

MOST_NAMED = 8


class Trial(Strict):
    """A text, and what it is to be held against."""

    model_config = ConfigDict(defer_build=False)

    input: Annotated[Input, BeforeValidator(from_text, Input | str)]
    """As a job has it; a text alone stands for `{"text": …}`."""
    stage: Stage = "input"
    """`output` to have it judged as an answer."""
    policies: Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=MOST_NAMED)] = (
        Field(default_factory=list)
    )
    """Policies to try beside the tenant's: such as it names, and such as are shared."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.document:
            raise at("input", "it has to say something")
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The input as a job would keep it."""
        return self.input.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def parse_trial(body: Any) -> Trial:
    """Check a body against the contract.

    Raises:
        InvalidRequest: names the first field at fault.
    """
    return parsed(Trial, body)
