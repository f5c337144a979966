"""The port to prompts and answers, and the names that they are kept by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from broker.storage import Item

REQUEST = "BODY"
"""The payload's name of the request as it was prepared."""

REDACTED = "REDACTED"
"""That of what guardrails took out of it and of the answer: `request`, as models may see it, where something was, and
`mapping`, what each placeholder stands for. It sorts behind the outputs, so who looks at a job does not read it."""

OUTPUT = "OUTPUT#"
"""What the names of answers begin with."""


class NoteOwner(Protocol):
    """A job, as far as its notes need to know it: a head, or the facts that a run travels with."""

    @property
    def id(self) -> str:
        """The job's."""
        ...

    @property
    def payloads_until(self) -> int:
        """Epoch seconds at which its prompt and answer are over."""
        ...

    @property
    def expires_at(self) -> int:
        """Epoch seconds at which its record may be deleted."""
        ...


@dataclass(frozen=True, slots=True)
class Linked:
    """An answer that is too large for a reply: where it is, as plain JSON, for who has the URL."""

    url: str
    """Works for a quarter of an hour, and no longer than the answer is kept."""
    bytes: int
    media_type: str


class Saved(NamedTuple):
    """What became of a document that was saved."""

    files: list[str]
    """The keys of its files in the bucket."""
    linked: bool
    """True for an answer that is given out by a link."""


class Payloads(Protocol):
    """Where prompts and answers live: compressed, in the table or, when large, in the bucket."""

    def save(
        self,
        job: NoteOwner,
        name: str,
        document: Any,
        facts: dict[str, Any] | None = None,
        files: Sequence[tuple[bytes, str]] = (),
    ) -> Saved:
        """Keep a JSON document under the job, with small facts and files beside it; the same name again overwrites.

        Args:
            job: whose.
            name: of the document.
            document: what to keep.
            facts: whole numbers, strings, and maps of them.
            files: bytes, and the type of each (`image/png`).

        Returns:
            Where the files are, and whether the document is given out by a link; its facts then say so as well
            (`linked`).
        """
        ...

    def copy(self, job: NoteOwner, name: str, source: str, source_name: str) -> Saved | None:
        """Keep a document of another job (its id is `source`) under this one, however large; None where it is gone.

        Neither facts nor files come along.
        """
        ...

    def linked(self, job_id: str, name: str, item: Item | None = None) -> Linked | None:
        """An answer that is too large for a reply; None for all others, and where there is none (any more).

        As of the last write; with the `item`, as `load` has it, there is nothing to read.
        """
        ...

    def plain_json(self, job_id: str, name: str, item: Item | None = None) -> bytes | None:
        """The JSON of an answer that is too large for a reply, as it lies there; None as of `linked`."""
        ...

    def link(self, job_id: str, name: str, number: int) -> str:
        """A URL at which anyone may read a document's file (`number` counts from 1) for a quarter of an hour."""
        ...

    def stands(self, job_id: str, name: str) -> bool:
        """Whether a document is there, as of the last write."""
        ...

    def load_file(self, job_id: str, name: str, number: int) -> bytes | None:
        """Read a document's file (`number` counts from 1); None where it is not there any more."""
        ...

    def load(
        self, job_id: str, name: str, item: Item | None = None, *, fresh: bool = False, words: bool = False
    ) -> Any | None:
        """Read it back; None where there is none, where it was erased, and from the job's `payloads_until` on.

        What is erased or overwritten at this very moment may still be seen as it was, unless it has to be `fresh`: as
        of the last write. With the `item`, which `Jobs.around` gives, there is nothing to read. Who wants `words` gets
        an empty answer for a large one of numbers alone.
        """
        ...

    def replace(self, job: NoteOwner, name: str, document: Any) -> None:
        """Change a document that is kept; facts and files beside it stay. One that is gone does not come back."""
        ...

    def facts(self, job_id: str, name: str) -> dict[str, Any] | None:
        """The small facts beside a document, as long as they are there; None where there is none."""
        ...

    def hand(self, job: NoteOwner, name: str, data: bytes | None = None) -> str:
        """Key of an object that a service reads, or will write where there is no data; it goes with the job."""
        ...

    def drop(self, job_id: str, name: str) -> None:
        """Delete one document and its files; may be repeated."""
        ...

    def erase(self, job_id: str) -> None:
        """Delete all documents of the job and their files; may be repeated."""
        ...
