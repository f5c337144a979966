"""`bench documents` on folders of strangers: a line for each file, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from broker.documents.sandbox import LEFT_S, PREFIX, end, read, sweep

from local.ocr import LocalOcr
from tests.unit.documents.samples import docx, paragraph, pdf, prose


def lines(folder: Path, *, as_json: bool = True) -> list[str]:
    """What it prints, where the terminal knows no more than ASCII."""
    command = [sys.executable, "-m", "bench", "documents", str(folder), *(["--json"] if as_json else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, check=True, timeout=120, env=environment)  # noqa: S603
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("as_json", [True, False])
def test_names_of_any_kind_are_a_line_each(tmp_path, as_json):
    for name in (b"new\nline.txt", b"\xff\xfe.txt", "夜.txt".encode(), b"a" * 250 + b".txt"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("Lamp 灯")
    said = lines(tmp_path, as_json=as_json)
    assert len(said) == 4
    if as_json:
        told = [json.loads(line) for line in said]
        assert {tuple(each["pages"]) for each in told} == {("Lamp 灯",)}
        assert "\\xff\\xfe.txt" in {each["file"] for each in told}


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    (tmp_path / "passwd.txt").symlink_to("/etc/passwd")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "only.txt").write_text("Lamp")
    assert [json.loads(line)["file"] for line in lines(tmp_path)] == ["only.txt"]


def test_a_file_that_vanishes_says_so(tmp_path):
    found = read(tmp_path / "gone.txt")
    assert found.error is not None and found.error.code == "broken_document"


def processes_of(mark: str) -> list[int]:
    """Those whose work folder is below a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if mark in os.readlink(each / "cwd"):
                found.append(int(each.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_process_and_no_file(tmp_path, how):
    """By a kill that nobody can catch its folder stays, until a later run finds that it is old."""
    folder, disk = tmp_path / "in", tmp_path / "disk"
    folder.mkdir()
    disk.mkdir()
    (folder / "slow.docx").write_bytes(docx(paragraph("a") * 1_000_000))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(disk)}
    run = subprocess.Popen([sys.executable, "-m", "bench", "documents", str(folder)], env=environment)  # noqa: S603
    try:
        ends = time.monotonic() + 30
        while not processes_of(str(disk)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert processes_of(str(disk))
        time.sleep(0.5)  # until the reader has bound itself
        run.send_signal(how)
        run.wait(20)
        while processes_of(str(disk)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert not processes_of(str(disk))
    finally:
        run.kill()
        run.wait()
    if how == signal.SIGTERM:
        assert not list(disk.iterdir())


def test_what_killed_readers_left_goes_and_what_is_in_use_stays(tmp_path):
    old, new, other = (tmp_path / name for name in (f"{PREFIX}old", f"{PREFIX}new", "document-of-a-user"))
    for each in (old, new, other):
        each.mkdir()
        (each / "page.png").write_bytes(b"x")
    for each in (old, other):
        os.utime(each, (time.time() - LEFT_S - 60,) * 2)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([new.name, other.name])


def test_nothing_stays_of_files_that_were_read(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    for name, data in {"a.pdf": pdf(prose("a")), "b.docx": docx(paragraph("b")), "c.png": b"\x89PNG\r\n\x1a\n"}.items():
        (tmp_path / name).write_bytes(data)
        read(tmp_path / name)
    assert not list(disk.iterdir())


def test_what_a_reader_started_ends_with_it():
    """A process of its own that holds its output open would be waited for without end."""
    program = "import os, time\nif os.fork():\n    print('on', flush=True)\n    os._exit(0)\ntime.sleep(600)"
    reader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603
    with reader:
        assert reader.stdout is not None and reader.stdout.readline() == b"on\n"
        end(reader)
        assert reader.stdout.read() == b""  # comes back, for nobody has it any more


def test_what_reads_pictures_has_none_of_our_credentials(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    seen = {}

    def popen(command, **given):
        seen.update(given["env"])
        raise ChildProcessError

    monkeypatch.setattr("local.ocr.subprocess.Popen", popen)
    with pytest.raises(ChildProcessError):
        LocalOcr().pieces([], 1.0)
    assert seen["PYTHONPATH"] and "canary" not in json.dumps(seen)
