"""What the tests of documents share."""

from broker.documents.document import Document

TABLE = "| Part | Price |\n| --- | --- |\n| Lamp | 12 |"
"""As most kinds tell it."""


def only(document: Document) -> str:
    """The text of a document of one page."""
    assert document.outcome == "text", document.error and document.error.facts()
    assert len(document.pages) == 1
    return document.pages[0].text
