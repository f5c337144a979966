"""An event that asks for work on a document: which one, and by which recipe."""

from typing import Annotated

from pydantic import Field

from broker.jobs.field_errors import Spelled
from broker.jobs.fields import ObjectAddress, Strict


class DocumentPlace(Strict):
    """A document, and what is to happen to it."""

    s3: ObjectAddress
    """`s3://{inbox}/{tenant}/…`; a tenant may only name what is its own."""
    recipe: Annotated[
        str,
        Field(max_length=128),
        Spelled("^[A-Za-z0-9][A-Za-z0-9._:-]*$", "it has to be the id of a recipe, in 128 characters at most"),
    ]


class DocumentEvent(Strict):
    """The detail of `InferenceRequested` for a document."""

    document: DocumentPlace
