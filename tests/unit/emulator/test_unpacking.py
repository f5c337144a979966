"""Archives are unpacked once, each into its own place."""

import io
import zipfile
from pathlib import Path

import pytest

from local.emulator.unpacking import Archive


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it unpacks."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def packed(text: str) -> bytes:
    """An archive of one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("python/m.py"), text)
    return made.getvalue()


def unpacked(content: bytes, target: Path) -> Path:
    """Have the archive in the directory `target`; gives where it really is."""
    target.mkdir(parents=True)
    with Archive(content) as archive:
        archive.extractall(str(target))
    return target.resolve()


def test_an_archive_is_unpacked_once(place: Path) -> None:
    targets = [place / f"worker-{number}" / "code" for number in range(3)]
    found = {unpacked(packed("a = 1"), target) for target in targets}
    assert len(found) == 1
    assert all((target / "python" / "m.py").read_text() == "a = 1" for target in targets)
    assert [each.name for each in place.iterdir() if each.name.endswith(".part")] == []


def test_another_archive_is_another(place: Path) -> None:
    for text in ("one", "other"):
        unpacked(packed(text), place / text / "code")
    for text in ("one", "other"):
        assert (place / text / "code" / "python" / "m.py").read_text() == text


def test_names_are_looked_at_once(place: Path) -> None:
    assert Archive(packed("")).namelist() == ["python/m.py"]
    unpacked(packed(""), place / "worker" / "code")
    assert Archive(packed("")).namelist() == []
