"""That what documents tell people to run is found in them, and that a command that fails is noticed."""

import subprocess
import sys
from pathlib import Path

from broker.cli.exits import Exit

from local import environment
from tests.commands import Block, blocks_of
from tests.contract.stack import ROOT
from tests.unit.test_cli_local import Running

DOCUMENT = """# Begin
Text with `code`.
```sh
one
two   # with a word
```
## Go on
```json
{"no": "command"}
```
<!-- newcomer: it needs an account -->
```sh
three
```
```sh
four
```
"""


def test_blocks_are_found_with_their_headings(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(DOCUMENT)
    assert list(blocks_of(tmp_path / "a.md")) == [
        Block("Begin", "one\ntwo   # with a word"),
        Block("Go on", "three", "it needs an account"),
        Block("Go on", "four"),
    ]


def test_the_readme_has_commands_and_leaves_out_what_needs_an_account_alone() -> None:
    blocks = list(blocks_of(ROOT / "README.md"))
    assert any("make demo" in block.commands for block in blocks)
    left_out = [block for block in blocks if block.left_out]
    assert [block.left_out for block in left_out] == ["it needs an account", "it looks at an account"]
    assert "sam deploy" in left_out[0].commands and "broker doctor" in left_out[1].commands


def test_a_command_that_fails_ends_it(tmp_path: Path) -> None:
    nowhere = environment.write(Running("http://127.0.0.1:9", "http://127.0.0.1:9"), tmp_path)
    command = [ROOT / "tests" / "newcomer", "--venv", sys.prefix, "--env", nowhere]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)  # noqa: S603 - our own script
    assert done.returncode == Exit.UNAVAILABLE
    assert "does not answer" in done.stderr
    assert "broker models" not in done.stderr.split("does not answer")[1], "nothing more was tried"
