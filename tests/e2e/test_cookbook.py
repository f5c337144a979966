"""Programs of the cookbook with the frameworks' own packages, against the deployed stack."""

import os
import subprocess
from pathlib import Path

import pytest
from broker.cli import create_key

from tests.e2e.stack import Stack
from tests.unit.clients.programs import node, python, sections, slug

PROGRAMS = ("Instructor", "autobatcher", "OpenAI for Node", "Anthropic for Node")
"""Those that start quickly; between them they speak by every door of clients, and run batches in both forms."""


def test_programs_do_side_by_side_what_they_do_in_memory(stack: Stack, tmp_path: Path) -> None:
    known = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    known |= {"BROKER_URL": stack.base_url, "BROKER_API_KEY": create_key(stack.database, "demo", "cookbook")}
    running = {}
    for name in PROGRAMS:
        folder = tmp_path / slug(name)
        folder.mkdir()
        if name in sections("js"):
            command = node(folder, sections("js")[name])
        else:
            command = python(slug(name), folder, sections("python")[name])
        with (folder / "told.txt").open("w") as told:
            running[name] = subprocess.Popen(command, cwd=folder, env=known, stdout=told, stderr=subprocess.STDOUT)  # noqa: S603 - ours
    said = {}
    for name, program in running.items():
        try:
            status = program.wait(timeout=180)
        except subprocess.TimeoutExpired:
            program.kill()
            status = program.wait()
        said[name] = (tmp_path / slug(name) / "told.txt").read_text()
        assert status == 0, f"{name}: {said[name][-3000:]}"
    for name, words in said.items():
        assert words.strip(), name
    pytest.fail(str(said))
