"""One document under one recipe, while it is decided what comes next."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.documents.reading import Reading
from broker.documents.recipe import PromptUse, Recipe
from broker.documents.splitting import Chunk, split, split_pages
from broker.documents.steps import OUTPUT_WEIGHT, PROMPT_TOKENS, Answer, Ended, Failed, Request, ranges
from broker.token_estimates import estimate

MOST_PARTS = 10_000
"""Of a document: more would be more than some ten million tokens, or parts of no use."""

MOST_METADATA = 500
"""Characters of a value."""


@dataclass(slots=True)
class Run:
    """What is known of a document so far."""

    reading: Reading
    recipe: Recipe
    size: int
    """Tokens of a part."""
    family: str | None
    chunks: list[Chunk] = field(default_factory=list)
    latest: tuple[Answer, ...] = ()
    """The answers that the next stage would be made of: what there is, where there is no next stage."""
    notes: list[dict[str, Any]] = field(default_factory=list)

    def split(self) -> None:
        """Cut the document into parts.

        Raises:
            Failed: it has no text, or too much of it.
        """
        pages = self.reading.to_split()
        if self.recipe.way == "per_page":
            self.chunks = split_pages(pages, self.size, self.family)
        else:
            self.chunks = split(pages, self.size, self.recipe.overlap, self.recipe.by, self.family)
        if not self.chunks:
            raise Failed("empty_document", "No text was found in the document.")
        if len(self.chunks) > MOST_PARTS:
            raise Failed("too_many_parts", f"The document has more than {MOST_PARTS} parts of {self.size} tokens.")
        for chunk in self.chunks:
            if chunk.cuts_a_row:
                message = "A row of a table is larger than a part, and was cut between its cells."
                self.note("row_cut", message, pages=list(chunk.pages))

    def request(
        self, stage: str, part: int, pages: tuple[int, ...], prompt: PromptUse, values: Mapping[str, str], **more: Any
    ) -> Request:
        """A child that fills a prompt."""
        language = {"language": self.recipe.language} if self.recipe.language else {}
        body = {"prompt": prompt.filled(**values, **language), **more}
        tokens = sum(self.count(text) for text in values.values()) + PROMPT_TOKENS
        weight = tokens + OUTPUT_WEIGHT * self.recipe.output_tokens
        return Request(self.child({**self.recipe.request, **body}, stage, part, pages), part, pages, weight)

    def child(self, body: Mapping[str, Any], stage: str, part: int, pages: tuple[int, ...]) -> dict[str, Any]:
        """A request as a child: it says what it is of, and waits behind work that someone waits for."""
        about = {"document_stage": stage, "document_part": str(part), "document_pages": ranges(pages)}
        metadata = {name: value[:MOST_METADATA] for name, value in about.items()}
        return {"priority": "bulk", **body, "metadata": metadata}

    def count(self, text: str) -> int:
        """Tokens."""
        return estimate(text, self.family)

    def weight_of_parts(self, more_tokens: int) -> int:
        """What asking about all of a document's text may cost, where so many tokens of it are still to be read."""
        tokens = more_tokens + self.count("\n".join(page.text for page in self.reading.pages))
        parts = -(-tokens // max(1, self.size - self.recipe.overlap)) + 1
        return 3 * (tokens + parts * (PROMPT_TOKENS + OUTPUT_WEIGHT * self.recipe.output_tokens))

    def answers(self, stage: str, requests: Sequence[Request], ended: Sequence[Ended]) -> list[Answer]:
        """What was said, by part.

        Raises:
            Failed: a part has no answer and the recipe wants all; or none has.
        """
        found = [
            Answer(request.part, request.pages, end.text, end.json)
            for request, end in zip(requests, ended, strict=True)
            if end.status == "succeeded"
        ]
        self.latest = tuple(found)
        self.check(stage, [request.pages for request in requests], ended)
        if not found:
            raise Failed("no_answers", f"No request of the stage {stage} was answered.")
        return found

    def check(self, stage: str, pages: Sequence[tuple[int, ...]], ended: Sequence[Ended]) -> None:
        """Hold a stage against what the recipe wants of those that have no answer.

        Raises:
            Failed: the recipe wants all.
        """
        for part, (of, end) in enumerate(zip(pages, ended, strict=True), 1):
            if end.status == "succeeded":
                continue
            code = str((end.error or {}).get("code", end.status))
            message = f"Part {part} of {len(ended)} of the stage {stage} (pages {ranges(of)}) was {end.status}: {code}."
            if self.recipe.on_failure == "fail":
                raise Failed(f"part_{end.status}", message)
            self.note("part_missing", message, stage=stage, part=part, pages=list(of), status=end.status)

    def note(self, code: str, message: str, **facts: Any) -> None:
        """Keep what is to be known of the result."""
        self.notes.append({"code": code, "message": message, **facts})

    @staticmethod
    def shown(answer: Answer) -> dict[str, Any]:
        """An answer to a part, as results have it."""
        return {"part": answer.part, "pages": list(answer.pages), "answer": answer.shown}

    def joined(self, answers: Sequence[Answer]) -> str:
        """Answers as one text, each below what it is of."""
        return "\n\n".join(map(told, answers))

    def packed(self, answers: Sequence[Answer]) -> list[list[Answer]]:
        """Answers in groups that fit a part, in order; one that does not by itself is alone."""
        groups: list[list[Answer]] = []
        left = 0
        for answer in answers:
            tokens = self.count(f"{told(answer)}\n\n") + 1
            if not groups or tokens > left:
                groups.append([])
                left = self.size
            groups[-1].append(answer)
            left -= tokens
        return groups


def told(answer: Answer) -> str:
    """An answer as a later prompt has it, below what it is of."""
    text = answer.text if answer.json is None else json.dumps(answer.json, ensure_ascii=False)
    return f"(part {answer.part}, pages {ranges(answer.pages)})\n{text}"
