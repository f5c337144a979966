"""The event that asks for work, in the two forms that its detail may have, each also in a CloudEvents envelope."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from broker.jobs.cloud_events import ATTRIBUTE, JSON_TYPE, MOST_CHARACTERS, SPEC_VERSION
from broker.jobs.document_event import DocumentEvent
from broker.jobs.request import JobRequest

KIND = "InferenceRequested"

AttributeText = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class CloudEventIn(BaseModel):
    """CloudEvents 1.0, structured: `data` is what stands in the detail otherwise. `source` and `id` tell a repeat."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "patternProperties": {ATTRIBUTE: {}},
            "additionalProperties": False,
        },
    )

    specversion: Literal["1.0"] = Field(json_schema_extra={"const": SPEC_VERSION})
    id: AttributeText
    source: AttributeText
    """The sender's own word; whose event it is, follows from account and source of the event around it."""
    type: Annotated[str, Field(min_length=1)]
    """The sender's own word."""
    time: str | None = None
    subject: str | None = None
    datacontenttype: Annotated[str, Field(pattern=JSON_TYPE)] | None = None
    dataschema: str | None = None
    data: JobRequest | DocumentEvent


class InferenceRequested(BaseModel):
    """An event that asks for work, put on the broker's bus; EventBridge adds `id`, `account`, `time` and more."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    source: Annotated[str, Field(min_length=1)]
    """As operators registered it; with the account it tells the tenant."""
    detail_type: Literal["InferenceRequested"] = Field(alias="detail-type")
    detail: JobRequest | DocumentEvent | CloudEventIn


def example() -> dict[str, Any]:
    """One that becomes a job."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": KIND,
        "source": "acme.orders",
        "account": "123456789012",
        "time": "2026-11-29T09:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {"input": "Summarize: The lamp needed nobody.", "metadata": {"order": "17"}},
    }
