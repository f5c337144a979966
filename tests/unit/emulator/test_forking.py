"""A function's process is forked from one that has loaded the packages of its layer, and is a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from local.emulator import processes
from local.emulator.forking import Forked, NoZygote, Zygotes
from local.emulator.zygote import LOADED
from tests.unit.emulator.conftest import one_function

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

SCRIPT = """
import json, os, sys
told = {}
exec(sys.stdin.readline())
print(json.dumps(told), flush=True)
sys.stdin.readline()
"""
"""Runs the line that it is given, says what it told, and stays until its input ends."""

Start = Callable[..., Forked]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes of the script."""
    zygotes, started = Zygotes(), []
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def started_process(directory: Path = tmp_path, **environment: str) -> Forked:
        process = zygotes.start([sys.executable, str(script)], cwd=str(directory), env=environment)
        started.append(process)
        return process

    yield started_process
    for process in started:
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        process.wait(30)
    zygotes.stop()


def told(process: Forked, line: str = "pass") -> dict[str, Any]:
    """What the process says of itself after running a line."""
    process.stdin.write(line + "\n")
    process.stdin.flush()
    found: dict[str, Any] = json.loads(process.stdout.readline() or process.stderr.read())
    return found


def layer(folder: Path, package: str, code: str) -> Path:
    """A layer with one package."""
    (folder / "python" / package).mkdir(parents=True)
    (folder / "python" / package / "__init__.py").write_text(code)
    return folder


def test_each_has_its_own_environment_directory_and_id(start: Start, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b")]
    for place in places:
        place.mkdir()
    processes = [start(place, ONLY=place.name) for place in places]
    asked = "told.update(env=dict(os.environ), cwd=os.getcwd(), pid=os.getpid(), shell=os.popen('echo $ONLY').read())"
    for place, process in zip(places, processes, strict=True):
        expected = {"env": {"ONLY": place.name}, "cwd": str(place), "pid": process.pid, "shell": f"{place.name}\n"}
        assert told(process, asked) == expected
    assert len({os.getpid(), *(process.pid for process in processes)}) == 3


def test_what_one_changes_no_other_sees(start: Start) -> None:
    changing, other = start(), start()
    told(changing, "import json.decoder; json.decoder.changed = os.environ['NEW'] = sys.path[0] = 'here'")
    asked = "import json.decoder; told.update(seen=[hasattr(json.decoder, 'changed'), 'NEW' in os.environ, *sys.path])"
    for process in (other, start()):
        changed, new, *path = told(process, asked)["seen"]
        assert (changed, new) == (False, False)
        assert "here" not in path


def test_it_has_nothing_of_this_machine_but_the_standard_library(start: Start) -> None:
    asked = """
for name in ("pytest", "ministack", "broker", "local"):
    try:
        told[name] = bool(__import__(name))
    except ModuleNotFoundError:
        told[name] = False
"""
    assert set(told(start(), f"exec({asked!r})").values()) == {False}


def test_it_is_alone_and_holds_no_connection(start: Start) -> None:
    asked = "told.update(threads=len(os.listdir('/proc/self/task')), files=sorted(os.listdir('/proc/self/fd')))"
    found = told(start(), asked)
    assert found["threads"] == 1
    assert found["files"][:3] == ["0", "1", "2"]
    assert len(found["files"]) == 4, "the fourth is of the listing"


def test_its_layers_packages_were_loaded_before_it_was_born(start: Start, tmp_path: Path) -> None:
    code = "import os\nborn_in = os.getpid()\n"
    layers = [layer(tmp_path / name, "httptools", code + f"name = {name!r}\n") for name in ("one", "other")]
    asked = "import httptools; told.update(name=httptools.name, born_in=httptools.born_in)"
    born = {}
    for place in layers:
        found = [(process, told(process, asked)) for process in (start(_LAMBDA_LAYERS_DIRS=str(place)) for _ in "ab")]
        assert {each["name"] for _, each in found} == {place.name}
        assert not {each["born_in"] for _, each in found} & {process.pid for process, _ in found}
        born[place.name] = {each["born_in"] for _, each in found}
    assert len(born["one"]) == len(born["other"]) == 1
    assert born["one"] != born["other"]


def test_a_layer_that_starts_a_thread_is_refused(start: Start, tmp_path: Path) -> None:
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    place = layer(tmp_path / "threads", "httptools", code)
    with pytest.raises(NoZygote):
        start(_LAMBDA_LAYERS_DIRS=str(place))


@pytest.mark.parametrize("end", [Forked.terminate, Forked.kill])
def test_it_is_ended_like_any_other(start: Start, end: Callable[[Forked], None]) -> None:
    ended, other = start(), start()
    told(ended)
    assert ended.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        ended.wait(0)
    end(ended)
    assert ended.wait(30) == 0
    assert ended.poll() == 0
    end(ended)  # to no effect, whoever has its id now
    assert ended.stdout.read() == ""
    assert told(other) == {}


def test_its_own_end_is_seen(start: Start) -> None:
    process = start()
    process.stdin.write("os._exit(3)\n")
    process.stdin.flush()
    assert process.wait(30) == 0
    assert not Path(f"/proc/{process.pid}").exists(), "it is collected"


def test_another_is_forked_from_when_one_is_gone(start: Start) -> None:
    gone = told(start(), "told['parent'] = os.getppid()")["parent"]
    os.kill(gone, signal.SIGKILL)
    while True:
        try:
            process = start()
            break
        except NoZygote:  # it is not seen to be dead yet
            continue
    assert told(process, "told['parent'] = os.getppid()")["parent"] != gone


@pytest.mark.parametrize(("forks", "named"), [(True, False), (False, True)])
def test_where_nothing_is_forked_the_command_names_the_function(
    monkeypatch: pytest.MonkeyPatch, forks: bool, named: bool
) -> None:
    monkeypatch.setattr(processes, "FORKS", forks)
    with one_function() as invoke:
        process = invoke({"process": True})["body"]
        assert ("ministack-lambda-patched" in Path(f"/proc/{process}/cmdline").read_text()) is named


def test_where_nothing_is_forked_memory_is_measured_and_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "FORKS", False)
    with one_function() as invoke:
        assert invoke({"takes_mb": 200})["body"] == 200


def test_what_is_loaded_exists_and_is_not_ours() -> None:
    assert {name for name in LOADED if find_spec(name) is None} == set()
    assert not {name.partition(".")[0] for name in LOADED} & {"broker", "handlers"}
