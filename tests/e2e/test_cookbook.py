"""Programs of the cookbook, with the real packages, against the deployed stack, by one model of this machine."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.unit.clients.programs import python, sections, slug

PROGRAMS = {"autobatcher": "The keeper slept. The keeper slept. 1", "Pydantic AI": "rivers="}
"""By framework, a part of what its program prints."""


@pytest.mark.parametrize("framework", PROGRAMS)
def test_a_framework_runs_against_the_stack(stack: Stack, framework: str, tmp_path: Path) -> None:
    program = sections("python")[framework].replace('"auto"', '"local-small"')
    known = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    known |= {"BROKER_URL": stack.base_url, "BROKER_API_KEY": stack.seeded.api_key}
    done = subprocess.run(  # noqa: S603 - ours
        python(slug(framework), tmp_path, program),
        cwd=tmp_path,
        env=known,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert PROGRAMS[framework] in done.stdout
