"""Where a text stands in a request or an answer, and how findings tell it."""

from dataclasses import dataclass

LONGEST_PLACE = 500
"""Characters of a place, as findings tell it."""

WORDS = frozenset(
    "additionalProperties anyOf arguments content description enum file function id image_url input items json labels "
    "max_output_tokens message messages name parameters properties reasoning required role seal strict temperature "
    "text texts title tool_call_id tool_calls tool_choice tools top_p type url usage".split()
)
"""Keys of the contract and of JSON Schema: they are nobody's words."""

NAMED = WORDS | frozenset(
    "body categories data documents embeddings entities features fields files finish_reason flagged format "
    "input_audio intent key_phrases label language media_type output output_schema pages pii provider_options query "
    "refusal results s3 score scores seed segments sentiment session size slots source_language spans stage state "
    "stop tables target_language tool_use value".split()
)
"""Names that a place may tell: these and no others, for a caller's own may say whatever it likes."""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Where something stands in a document: the last step of the way, and what leads to it."""

    above: "Path | None"
    name: str | int
    at: int = 0
    """Of a name, which of its object's it is, from 0."""

    def __str__(self) -> str:
        """As findings tell it: fields of the contract by their names, all others by their number (`input.body.*0`).

        A place of many steps is cut, for it is kept.
        """
        told = (
            f"*{each.at}" if isinstance(each.name, str) and each.name not in NAMED else str(each.name)
            for each in self._way()
        )
        place = ".".join(told)
        return place if len(place) <= LONGEST_PLACE else f"{place[:LONGEST_PLACE]}…"

    def steps(self) -> list[str | int]:
        """The way from the document's root."""
        return [each.name for each in self._way()]

    def _way(self) -> "list[Path]":
        way: list[Path] = []
        here: Path | None = self
        while here is not None:
            way.append(here)
            here = here.above
        return way[::-1]
