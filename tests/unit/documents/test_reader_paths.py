"""What the process that reads a file may tell of: the files in its own folder, and no others."""

import os
from pathlib import Path
from typing import Any

import pytest
from broker.documents.document import BrokenDocument
from broker.documents.sandbox import check_paths


def told(scan: object = None, inner: object = None) -> dict[str, Any]:
    return {
        "pages": [{"number": 1, "text": "", "scans": [str(scan)] if scan else []}],
        "inner": [{"name": "a", "path": inner and str(inner), "error": None}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("page-1.png", "pages-0.pdf", "inner-1"):
        (own / name).write_bytes(b"x")
    (tmp_path / "others.pdf").write_bytes(b"secret")
    os.symlink(tmp_path / "others.pdf", own / "link.png")
    os.symlink(tmp_path / "others.pdf", own / "link.pdf")
    return own


def test_what_is_in_its_folder_is_taken(folder: Path) -> None:
    check_paths(told(folder / "page-1.png", folder / "inner-1"), folder)
    check_paths(told(folder / "pages-0.pdf" / "00001"), folder)
    check_paths(told(), folder)


@pytest.mark.parametrize(
    "named",
    [
        "/proc/self/environ",
        "{0}/../others.pdf",
        "{0}/../others.pdf/00001",
        "{0}/link.png",
        "{0}/link.pdf/00001",
        "{0}/none.png",
        "{0}/..",
        "{0}",
        "page-1.png",
    ],
)
def test_a_reader_that_was_taken_over_has_no_file_of_ours_kept_or_deleted(folder: Path, named: str) -> None:
    for facts in (told(scan=named.format(folder)), told(inner=named.format(folder))):
        with pytest.raises(BrokenDocument):
            check_paths(facts, folder)
    assert (folder.parent / "others.pdf").exists()
