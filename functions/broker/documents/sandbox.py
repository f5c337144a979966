"""Reads a file in a process of its own, and the files inside of it each in one too."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from broker.documents import markdown
from broker.documents.document import (
    BrokenDocument,
    Document,
    DocumentError,
    EmptyDocument,
    Inner,
    Page,
    TooMuch,
    UnknownDocument,
)
from broker.documents.gathering import is_gathered
from broker.documents.limits import Limits

Ocr = Callable[[list[Path], float], list[str]]
"""Reads the text of pictures, within so many seconds. Raises DocumentError."""


def refuse_scans(pictures: list[Path], seconds: float) -> list[str]:
    """An `Ocr` of those who have none: a document whose pages are pictures is rejected, and none is left out unsaid.

    Raises:
        UnknownDocument: always.
    """
    raise UnknownDocument("Pages of it are pictures, which are not read here.", code="scans_not_read")


LARGEST_REPLY = 200_000_000
"""Bytes of JSON that a process may say."""

GRACE_S = 1.0
"""A process has this long beyond its time to say by itself that it is over."""


PREFIX = "broker-document-"
"""Of the folders that hold what is read, and what is found in it."""

LEFT_S = 3_600
"""A folder that is older belongs to nobody."""

PR_SET_DUMPABLE = 4
"""prctl(2)."""


def hide() -> None:
    """Keep the processes that read files from looking into this one, which has credentials in its environment.

    On Linux, where `/proc` shows it to all processes of a user. May be repeated; it holds until the process ends.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def sweep(folder: Path) -> None:
    """Delete what readers left that were killed with us: on Lambda the disk outlives a function that ran too long."""
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_S:
                    shutil.rmtree(path, ignore_errors=True)


class _Work:
    """What is left of the limits for one file and all that is inside of it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.ends = time.monotonic() + limits.seconds
        self.files = limits.files
        self.characters = limits.characters
        self.scans = limits.scans
        self.gathered = limits.gathered

    @property
    def seconds(self) -> float:
        return self.ends - time.monotonic()


def read(path: Path, name: str | None = None, limits: Limits | None = None, ocr: Ocr | None = None) -> Document:
    """Read a file; whatever it is, this comes back within the limits' seconds.

    Args:
        path: the file; it is only read.
        name: what its sender calls it; by it kinds of text are told apart.
        limits: of this file with all that is inside.
        ocr: reads pages that are pictures; without it they stay without text.
    """
    work = _Work(limits or Limits())
    sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        return _read(path, name or path.name, 0, Path(folder), work, ocr)


def _read(path: Path, name: str, depth: int, folder: Path, work: _Work, ocr: Ocr | None) -> Document:
    begun = time.monotonic()
    kind, peak = None, 0.0
    try:
        _check(path, depth, work)
        own = Path(tempfile.mkdtemp(dir=folder))
        told = _told(path, name, own, work)
        kind, peak = told.get("kind"), told.get("peak_mb", 0.0)
        if error := told.get("error"):
            raise DocumentError(error["message"], code=error["code"])
        check_paths(told, own)
        pages = _pages(told["pages"], work, ocr)
        children = tuple(_child(Inner(**each), depth, folder, work, ocr) for each in told["inner"])
        if not children and not any(page.text for page in pages):
            raise EmptyDocument("No text was found in the document.")
        pages = pages if any(page.text for page in pages) else ()
        return Document(name, kind, pages, children, None, time.monotonic() - begun, peak)
    except DocumentError as error:
        return Document(name, kind, error=error, seconds=time.monotonic() - begun, peak_mb=peak)


def check_paths(told: dict[str, Any], folder: Path) -> None:
    """Hold the files that a reader tells of against its folder: whoever took it over may name any.

    Raises:
        BrokenDocument: one is elsewhere, or leads elsewhere.
    """
    scans = (Path(scan) for page in told["pages"] for scan in page["scans"])
    named = [scan.parent if is_gathered(scan) else scan for scan in scans]
    named += [Path(each["path"]) for each in told["inner"] if each["path"]]
    for path in set(named):
        if path.parent != folder or path.name in ("", ".", "..") or path.is_symlink() or not path.is_file():
            raise BrokenDocument("Its reader told of a file that is not its own: it is made to do harm.")


def _check(path: Path, depth: int, work: _Work) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BrokenDocument("The file cannot be opened.") from error
    if not size:
        raise EmptyDocument("The file has no bytes.")
    if size > work.limits.bytes:
        raise TooMuch(f"The file has more than {work.limits.bytes} bytes.")
    if depth > work.limits.depth:
        raise TooMuch("Files lie inside of files too deeply.", code="nested_too_deep")
    if work.seconds <= 0:
        raise TooMuch("The time for the document is over.", code="document_timed_out")


def _child(inner: Inner, depth: int, folder: Path, work: _Work, ocr: Ocr | None) -> Document:
    work.files -= 1
    if inner.error:
        return Document(inner.name, error=_error(inner.error))
    if work.files < 0:
        return Document(inner.name, error=TooMuch("There are too many files inside.", code="too_many_files"))
    path = Path(inner.path or "")
    try:
        return _read(path, inner.name, depth + 1, folder, work, ocr)
    finally:
        path.unlink(missing_ok=True)


def _error(facts: Any) -> DocumentError:
    return facts if isinstance(facts, DocumentError) else DocumentError(facts["message"], code=facts["code"])


def _pages(told: list[dict[str, Any]], work: _Work, ocr: Ocr | None) -> tuple[Page, ...]:
    pages = [Page(each["number"], each["text"], tuple(map(Path, each["scans"]))) for each in told]
    scans = [scan for page in pages for scan in page.scans]
    if scans and ocr:
        together = sum(map(is_gathered, scans))
        work.scans -= len(scans) - together
        work.gathered -= together
        if work.scans < 0 or work.gathered < 0:
            most = work.limits.gathered or work.limits.scans
            raise TooMuch(f"More than {most} pages are pictures.", code="too_many_scans")
        texts = iter(ocr(scans, work.seconds))
        pages = [_joined(page, list(islice(texts, len(page.scans)))) if page.scans else page for page in pages]
    work.characters -= sum(len(page.text) for page in pages)
    if work.characters < 0:
        raise TooMuch(f"The text has more than {work.limits.characters} characters.", code="too_much_text")
    for path in {scan.parent if is_gathered(scan) else scan for scan in scans}:
        path.unlink(missing_ok=True)
    return tuple(replace(page, scans=()) for page in pages)


def _joined(page: Page, texts: list[str]) -> Page:
    """What was read from the picture holds what stood there as text, unless that is a stamp above it."""
    text = markdown.blocks(texts)
    own = page.text if page.text and page.text not in text else ""
    return replace(page, text="\n\n".join(part for part in (own, text) if part.strip()), ocr=bool(text.strip()))


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session of its own, with all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _told(path: Path, name: str, folder: Path, work: _Work) -> dict[str, Any]:
    """What the process says of the file.

    Raises:
        DocumentError: it did not come to its end.
    """
    seconds = work.seconds
    task = {"path": str(path.resolve()), "name": name, "folder": str(folder), "seconds": seconds}
    environment = {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)]),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
        "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "broker.documents.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    stdin, stdout = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    timer = threading.Timer(max(seconds, 0) + GRACE_S, end, (process,))
    timer.start()
    try:
        with suppress(BrokenPipeError), stdin:
            stdin.write(json.dumps({**task, "limits": work.limits.facts()}).encode())
        said = stdout.read(LARGEST_REPLY + 1)
        if len(said) > LARGEST_REPLY:
            raise TooMuch("The text is above the limit.", code="too_much_text")
    except BaseException:
        end(process)
        raise
    finally:
        timer.cancel()
        stdout.close()
        code = process.wait()
    if work.seconds <= 0 or code == -signal.SIGXCPU:
        raise TooMuch(f"Reading it takes more than {work.limits.seconds:g} seconds.", code="document_timed_out")
    try:
        found: dict[str, Any] = json.loads(said)
        return found
    except ValueError:
        raise BrokenDocument("Its reader ended without a word: the file is damaged, or made to do harm.") from None
