"""Documents that are worked on by a recipe: `{tenant}/{recipe}/{name}` in the inbox, or an event that names one.

    take_file ──► queue of documents ──► read_document ──► reading, pictures ──► take_file ──► batch of a document

All of these are read by the function that reads documents, texts too. Its pictures of pages are kept and not read
there: that is work for jobs, which the tenant pays for.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from broker.batches.documents.recipes import Offered, Recipes
from broker.batches.documents.submitting import SubmitDocument
from broker.documents.document import Document, DocumentError, UnknownDocument
from broker.documents.gathering import is_gathered
from broker.documents.reading import numbered, scan_mark
from broker.documents.sandbox import PREFIX, Ocr
from broker.errors import Forbidden, InvalidRequest, NotFound
from broker.inbox.file_work import kind_of
from broker.inbox.files import DOCUMENT, TAKEN, File
from broker.inbox.reading import READ, Fetches, Readings
from broker.permissions.who import NOBODY, Member
from broker.tenants.registry import Tenant
from broker.tenants.room import Room

RECIPE = "recipe"
"""In an event that asks for a document to be read: it is for a recipe."""

TOGETHER = "together"
"""In such an event, and in what was read: pages that are pictures are gathered, and read together."""


class KeptReadings(Readings, Protocol):
    """What was read, with pictures of pages."""

    def keep_scan(self, batch_id: str, number: int, picture: bytes) -> None:
        """Keep a picture (PNG); again overwrites."""
        ...

    def keep_pages(self, batch_id: str, number: int, path: Path) -> None:
        """Keep a file of several pages (PDF); again overwrites."""
        ...


@dataclass(frozen=True, slots=True)
class TakeDocument:
    """Takes a document for which there is a recipe."""

    recipes: Recipes
    readings: Readings
    submit: SubmitDocument
    room: Room
    """How many batches a tenant may have under way."""
    member_of: Callable[[str, str | None, int], Member] = lambda tenant, application, now: NOBODY
    """As what an application of a tenant asks; raises Forbidden."""

    def wants(self, event: dict[str, Any], file: File, tenant: Tenant, now: int) -> Offered | None:
        """The recipe of a file; None where it is to be taken as files without one are.

        Raises:
            InvalidRequest: the event names a recipe that is not there for this tenant, the tenant's documents need one,
                or it is disabled.
        """
        named = event.get(DOCUMENT, {}).get("recipe") or event.get(RECIPE)
        if not named and kind_of(file.key) != "document":
            return None
        recipe_id = named or file.folder
        found = self.recipes.find(recipe_id, now) if recipe_id else None
        if found is not None and found.is_for(tenant.id):
            if not found.enabled:
                raise Forbidden(f"The recipe {recipe_id!r} is disabled.", code="recipe_disabled")
            return found
        if named:
            raise InvalidRequest(f"There is no recipe {named!r}.", code="unknown_recipe", param="document.recipe")
        if tenant.recipes_only:
            raise InvalidRequest("The tenant's documents come as {tenant}/{recipe}/{name}.", code="recipe_needed")
        return None

    def __call__(self, event: dict[str, Any], file: File, tenant: Tenant, wanted: Offered, now: int) -> bool:
        """Have it read, or begin with what was read; False where it is still to be read. May be repeated.

        Raises:
            InvalidRequest: it could not be read, or is not of a kind that the recipe takes.
            TooManyAtOnce: the tenant has as many batches under way as it may have.
        """
        file.check()
        there = self.submit.batches.find(file.batch_id)
        if there is None:
            self.room.check(tenant.id, now)
        together = bool(wanted.recipe.features)
        facts = self.readings.load(file.batch_id) if event.get(READ) else None
        if facts is None and event.get(READ) and there:
            return True  # it has ended, and what was read was deleted
        if facts is None or (not facts["error"] and facts.get(TOGETHER, False) != together):
            # Not yet, or for the recipe as it was before it was changed.
            asked = {name: value for name, value in event.items() if name not in (READ, TOGETHER)}
            more = {TOGETHER: True} if together else {}
            self.readings.ask({**asked, RECIPE: wanted.recipe.id, **more}, tenant.id)
            return False
        check(facts, wanted)
        about = event.get(DOCUMENT, {})
        principal = about.get("principal") or f"s3:{file.bucket}"
        member = about.get("member") if "principal" in about else self._member(wanted, tenant, now)
        self.submit(file.batch_id, tenant.id, principal, wanted.recipe, file.place, now, member)
        return True

    def _member(self, wanted: Offered, tenant: Tenant, now: int) -> dict[str, Any]:
        return self.member_of(tenant.id, wanted.recipe.application or tenant.inbox_application, now).kept()


def check(facts: dict[str, Any], wanted: Offered) -> None:
    """Hold what was read against a recipe, before anything is paid for.

    Raises:
        InvalidRequest: it is nothing, or nothing that the recipe takes.
    """
    if error := facts["error"]:
        known = f" {TAKEN}" if error["code"] == UnknownDocument.code else ""
        raise InvalidRequest(f"{error['message']}{known}", code=error["code"])
    recipe, reading = wanted.recipe, facts["reading"]
    if recipe.takes is not None and reading["kind"] not in recipe.takes:
        takes = ", ".join(sorted(recipe.takes))
        message = f"The recipe {recipe.id!r} takes {takes}, and this is {reading['kind'] or 'none of them'}."
        raise InvalidRequest(message, code="kind_not_taken")
    if reading["scans"] and recipe.scans == "off":
        message = f"Pages of it are pictures, which the recipe {recipe.id!r} has nobody read."
        raise InvalidRequest(message, code="scans_not_read")


@dataclass(frozen=True, slots=True)
class ReadForRecipe:
    """Reads one document for a recipe. May be repeated."""

    inbox: Fetches
    readings: KeptReadings
    read: Callable[[Path, str, Ocr, bool], Document]
    """Gives what a file says, whatever it is, in bounded time; pictures of text go where they are sent, gathered where
    that is wanted."""
    again: Callable[[dict[str, Any], str, int], None]
    """Has an event come again (`Later.again`)."""

    def __call__(self, event: dict[str, Any]) -> Document:
        """Read the file that an event tells of, keep what it says and its pictures, and have the event come again."""
        file = File.of(event)
        nonce, kept, together = os.urandom(8).hex(), _Kept(self.readings, file.batch_id), bool(event.get(TOGETHER))

        def keep(pictures: list[Path], seconds: float) -> list[str]:
            return [scan_mark(nonce, kept.add(path)) for path in pictures]

        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            path = Path(folder) / "document"
            try:
                self.inbox.fetch(file.bucket, file.key, file.etag, file.version, path)
                document = self.read(path, PurePosixPath(file.key).name, keep, together)
                reading = numbered(document, nonce, kept.number, kept.gathered)
                facts = {"text": "", "error": None, TOGETHER: together, "reading": reading.facts()}
            except NotFound as error:
                document = Document(file.key)
                facts = {"text": "", "error": {"code": error.code, "message": error.message}}
            except DocumentError as failure:
                facts = {"text": "", "error": failure.facts()}
        self.readings.keep(file.batch_id, facts)
        self.again({**event, READ: True}, file.tenant, 0)
        return document


@dataclass(slots=True)
class _Kept:
    """The pictures of one document, as they come."""

    readings: KeptReadings
    batch_id: str
    number: int = 0
    gathered: list[tuple[int, int]] = field(default_factory=list)
    """See `Reading.gathered`."""
    _file: Path | None = None

    def add(self, path: Path) -> int:
        if not is_gathered(path):
            self.readings.keep_scan(self.batch_id, self.number, path.read_bytes())
        elif path.parent != self._file:
            self._file = path.parent
            self.readings.keep_pages(self.batch_id, len(self.gathered), self._file)
            self.gathered.append((self.number, 1))
        else:
            first, count = self.gathered[-1]
            self.gathered[-1] = first, count + 1
        self.number += 1
        return self.number - 1
