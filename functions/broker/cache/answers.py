"""Answers that are kept for a tenant, found again by the same question or by a similar one.

Table `cache`: `ANSWER#{tenant}#{key}` is an answer, `SHAPE#{tenant}#{shape}` holds the questions of one shape as
vectors, the newest last. DynamoDB deletes what has expired days late, so each read looks at the time itself.
"""

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from broker.cache.canonical import CacheKey
from broker.cache.vectors import Vector
from broker.errors import Conflict
from broker.jobs.head import job_pk
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

INLINE_BYTES = 256 * 1024
"""Compressed. Larger answers are not kept: an item holds 400 KB, and no model writes so much text in one call."""

NEIGHBOURS = 200
"""A similar question is looked for among so many of the newest: at 1,024 dimensions one query of some 230 KB, 29 read
units, 4 $ for a million lookups."""

NOTE = "CACHE"
"""Beside the job: what the cache did for it, and what it gave to the cache."""

SK = f"NOTE#{NOTE}"

FINE = 10_000
"""Similarities stand in the tables as whole ten-thousandths."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as a job got it. `usage` and `cost` (nano-dollars) are those of the call that it came from."""

    model: str
    output: dict[str, Any]
    usage: dict[str, int]
    cost: int


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer that was given before, and costs nothing now."""

    given: Given
    kind: Literal["exact", "semantic", "coalesced"]
    age_ms: int
    similarity: float | None = None

    def note(self) -> dict[str, Any]:
        """What is kept beside the job."""
        alike = {} if self.similarity is None else {"similarity": round(self.similarity * FINE)}
        return {"hit": True, "kind": self.kind, "age_ms": self.age_ms, "saved": self.given.cost, **alike}


@dataclass(frozen=True, slots=True)
class Wish:
    """A job that asked for the cache: its question, and on which terms.

    `ttl_ms` is both how long its answer is kept and how old an answer may be that it takes.
    """

    question: CacheKey
    mode: Literal["use", "refresh"]
    ttl_ms: int
    similarity: float | None = None

    @property
    def compares(self) -> bool:
        """True where the answer to a similar question would do."""
        return self.mode == "use" and self.similarity is not None and self.question.shape != ""

    @classmethod
    def of(cls, question: CacheKey, asked: Mapping[str, Any]) -> Self:
        """From a stored request's `cache` (defaults left out), which is not `bypass`."""
        return cls(question, asked.get("mode", "use"), asked.get("ttl_seconds", 3600) * 1000, asked.get("similarity"))

    def note(self, vector: Vector | None = None) -> dict[str, Any]:
        """What is kept beside the job that found nothing: its answer is kept by that, when there is one."""
        facts = {
            "hit": False,
            "tenant": self.question.tenant,
            "keys": [list(pair) for pair in self.question.keys.items()],  # a map would lose their order
            "shape": self.question.shape,
            "mode": self.mode,
            "ttl_ms": self.ttl_ms,
            "similarity": None if self.similarity is None else round(self.similarity * FINE),
        }
        return facts if vector is None else facts | {"vector": vector.data, "square": vector.square}

    @classmethod
    def from_note(cls, note: Mapping[str, Any]) -> Self:
        """Read it back."""
        question = CacheKey(note["tenant"], dict(note["keys"]), note["shape"])
        similarity = None if note["similarity"] is None else note["similarity"] / FINE
        return cls(question, note["mode"], note["ttl_ms"], similarity)


class AnsweredJob(Protocol):
    """Of a job, what the cache has to know."""

    @property
    def id(self) -> str:
        """The job's."""
        ...

    @property
    def payloads_until(self) -> int:
        """Epoch seconds at which its answer is over: the cache keeps it no longer."""
        ...


class Shelf(Protocol):
    """What the cache asks of its table beside the common port."""

    def newest(self, pk: str, limit: int) -> list[Item]:
        """The last items of a partition, newest first, in one request; what was just written may be missing."""
        ...

    def drop(self, pk: str, sk: str, job_id: str) -> None:
        """Delete an item if this job wrote it; may be repeated."""
        ...


class Answers:
    """The kept answers of one deployment."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf

    def find(self, wish: Wish, now: int) -> Hit | None:
        """The answer of the model that would be asked first to the very same question: one read.

        `refresh` finds nothing, and costs nothing.
        """
        if wish.mode == "refresh":
            return None
        question = wish.question
        item = self._database.get("cache", _answer_pk(question.tenant, question.key), "ANSWER")
        if item is None or not _fresh(item, wish, now):
            return None
        return Hit(_unpack(item), "exact", now - item["kept_at"])

    def find_similar(self, wish: Wish, vector: Vector, now: int) -> Hit | None:
        """The answer to the question most like it of those of its shape: one query, and one read where it is alike."""
        question = wish.question
        if not wish.compares or wish.similarity is None:
            return None
        rows = self._shelf.newest(_shape_pk(question.tenant, question.shape), NEIGHBOURS)
        rows = [row for row in rows if _fresh(row, wish, now)]
        alike = vector.likeness([Vector(row["vector"], row["square"]) for row in rows])
        best = max(range(len(rows)), key=lambda place: alike[place], default=None)
        if best is None or alike[best] < wish.similarity:
            return None
        item = self._database.get("cache", _answer_pk(question.tenant, rows[best]["key"]), "ANSWER")
        if item is None or not _fresh(item, wish, now):
            return None
        return Hit(_unpack(item), "semantic", now - item["kept_at"], alike[best])

    def note(self, job: AnsweredJob, facts: Mapping[str, Any]) -> None:
        """Say beside a job what the cache did for it, or by what its answer is to be kept.

        Raises:
            Conflict: another execution has given the job's answer to the cache, or the job was erased.
        """
        # A question's vector tells of the prompt, so the note goes with it.
        item = {"pk": job_pk(job.id), "sk": SK, "expires_at": job.payloads_until, **facts}
        try:
            self._database.write(Put("jobs", item, (If("kept", "absent"), If("erased", "absent"))))
        except ConditionFailed:
            raise Conflict(f"job {job.id} is done with the cache") from None

    def keep(self, job: AnsweredJob, given: Given, now: int) -> bool:
        """Keep the answer of a job that succeeds, by what stands in its note, over what was kept before.

        The answer and the note that names it are one commit, so that `forget` finds whatever there is. A job that was
        erased meanwhile keeps nothing.

        Returns:
            True if it is kept. It is not where the job did not ask for it, the answer is large or has files of the
            job's own, or the model was no candidate. May be repeated.
        """
        note = self._database.get("jobs", job_pk(job.id), SK)
        if note is None or note["hit"] or "files" in given.output:
            return False
        if "kept" in note:
            return True
        keys: dict[str, str] = dict(note["keys"])
        if given.model not in keys:
            return False
        text = json.dumps(given.output, ensure_ascii=False, separators=(",", ":"))
        packed = zlib.compress(text.encode(), 6)
        until = min(now + note["ttl_ms"], job.payloads_until * 1000)
        if len(packed) > INLINE_BYTES or until <= now:
            return False
        tenant, key = note["tenant"], keys[given.model]
        common = {"job_id": job.id, "kept_at": now, "until": until, "expires_at": until // 1000 + 1}
        answer = {"z": packed, "model": given.model, "usage": given.usage, "cost": given.cost}
        items: list[Item] = [{"pk": _answer_pk(tenant, key), "sk": "ANSWER", **common, **answer}]
        # A fallback's answer is kept for its own question only: the shape is the first candidate's.
        if "vector" in note and given.model == next(iter(keys)):
            row = {"key": key, "vector": note["vector"], "square": note["square"]}
            items.append({"pk": _shape_pk(tenant, note["shape"]), "sk": f"{now:014}#{key[:16]}", **common, **row})
        counted = Update(
            "jobs",
            job_pk(job.id),
            SK,
            set={"kept": [[item["pk"], item["sk"]] for item in items], "kept_at": now},
            remove=("vector", "square"),
            when=(If("pk", "exists"), If("erased", "absent")),
        )
        try:
            self._database.write(*(Put("cache", item) for item in items), counted)
        except ConditionFailed:
            return False
        return True

    def forget(self, job_id: str) -> None:
        """Drop what a job gave to the cache, and see to it that it gives no more; may be repeated."""
        pk = job_pk(job_id)
        closed = Update("jobs", pk, SK, set={"erased": True}, remove=("vector", "square"), when=(If("pk", "exists"),))
        try:
            self._database.write(closed)
        except ConditionFailed:
            return  # it asked for nothing
        self._drop(job_id)

    def withdraw(self, job_id: str) -> None:
        """Drop what a job gave to the cache; another run of it may give again. May be repeated."""
        note = self._drop(job_id)
        if "kept" in note:
            # Only what was dropped: what another run gives meanwhile has to be found by `forget`.
            same = If("kept_at", "=", note["kept_at"])
            with suppress(ConditionFailed):
                self._database.write(Update("jobs", job_pk(job_id), SK, remove=("kept",), when=(same,)))

    def _drop(self, job_id: str) -> Item:
        note = self._database.get("jobs", job_pk(job_id), SK) or {}
        for kept_pk, kept_sk in note.get("kept", ()):
            self._shelf.drop(kept_pk, kept_sk, job_id)
        return note


def _answer_pk(tenant: str, key: str) -> str:
    return f"ANSWER#{tenant}#{key}"


def _shape_pk(tenant: str, shape: str) -> str:
    return f"SHAPE#{tenant}#{shape}"


def _fresh(item: Item, wish: Wish, now: int) -> bool:
    """True while both terms hold: those on which it was kept, and those of the job that asks."""
    return bool(now < item["until"] and now < item["kept_at"] + wish.ttl_ms)


def _unpack(item: Item) -> Given:
    return Given(item["model"], json.loads(zlib.decompress(item["z"])), item["usage"], item["cost"])
