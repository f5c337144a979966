"""The examples and the README's commands as people run them: from a shell, knowing what the documents say, no more."""

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from local import environment
from local.servers import ROOT
from tests.commands import Block, blocks_of
from tests.e2e.conftest import FOLDER
from tests.e2e.pushing import pushing
from tests.e2e.stack import Stack

BLOCKS = [block for block in blocks_of(ROOT / "examples" / "README.md") if block.heading != "Examples"]

SHOWN = {
    "submit_and_poll.py": "\nThe lamp needed nobody.",
    "submit_and_poll.sh": '"status": "succeeded"',
    "listen.py": " is succeeded\nits answer is at http",
    "openai_client.py": "is completed: The lamp needed nobody.",
    "openai_batch.py": "\nrow-2: Lamp 2 needed nobody.",
    "anthropic_client.py": "\nThe lamp needed nobody.",
    "send_event.py": "JobSucceeded: the answer is at http",
    "send_event.sh": "-",
    "upload.sh": '"status":"succeeded"',
    "run_batch.sh": "3 rows, 3 succeeded",
    "run_recipe.sh": "\ncites p. 1",
    "keep_file.sh": " deleted",
    "receive_webhook.py": "verified job.succeeded: the answer is at http",
    "token_issuer.py": "200: the token of ada@example.com opens the jobs of demo",
    "run_prompt.sh": '"status": "succeeded"',
    "fall_back.sh": '"model": "local-small",',
    "registry": "\nib_",
}
"""What each shows when it went well, by what its commands name."""


@pytest.fixture
def shell(stack: Stack, tmp_path: Path) -> Path:
    """A folder as the repository's root looks to who follows the documents."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "env").write_text((FOLDER / environment.NAME).read_text())
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def run(commands: str, folder: Path) -> str:
    strange = ("AWS_", "BROKER_")
    known = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    path = f"{ROOT / 'functions'}:{ROOT}"  # the environment may have been made from another copy
    done = subprocess.run(  # noqa: S603 - our own documents
        ["bash", "-euo", "pipefail", "-c", f". .local/env\n{commands}"],  # noqa: S607
        cwd=folder,
        env=known | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return f"\n{done.stdout}"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.commands.splitlines()[-1].split("/")[-1])
def test_an_example_runs_as_it_stands(stack: Stack, shell: Path, block: Block) -> None:
    name = next(name for name in SHOWN if name in block.commands)
    if "aws " in (text := "".join(each.read_text() for each in used(block))) and "boto3" not in text:
        if not shutil.which("aws"):
            pytest.skip("the AWS CLI is not installed")
    with pushing(stack.cloud) if name == "listen.py" else nullcontext():
        assert SHOWN[name] in run(block.commands, shell)


def used(block: Block) -> list[Path]:
    """The files that commands name."""
    words = (ROOT / word for word in block.commands.split() if word.startswith("examples/"))
    return [each for each in words if each.is_file()]


def test_every_example_is_in_the_document() -> None:
    named = {each.name for block in BLOCKS for each in used(block)}
    scripts = {each.name for each in (ROOT / "examples").iterdir() if each.suffix in (".py", ".sh")}
    assert named == scripts == SHOWN.keys() - {"registry"}


def test_a_newcomer_can_do_what_the_readme_says(stack: Stack) -> None:
    command = [ROOT / "tests" / "newcomer", "--venv", sys.prefix, "--env", FOLDER / environment.NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)  # noqa: S603 - our own script
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status": "succeeded"' in done.stdout, "a job was submitted, and its answer shown"
