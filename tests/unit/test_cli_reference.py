"""The reference page of the command is what its own help says."""

from broker.cli.reference import page
from broker.cli.root import GROUPS, SHORT

from tests.contract.stack import ROOT
from tests.unit.test_cli_start import leaves


def test_the_page_is_made_of_the_commands_own_help() -> None:
    written = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    assert written == page(), "python -m broker.cli.reference docs/command.md"


def test_the_page_has_all_commands_options_and_short_forms() -> None:
    shown = page()
    assert all(f"\n## broker {name}\n" in shown for name in GROUPS)
    assert all(f"| `broker {short}` |" in shown for short in SHORT)
    for path, command in leaves():
        part = shown.split(f"\n### {path}\n")[1].split("\n### ")[0]
        own = {each.opts[0] for each in command.params if each.param_type_name == "option"}
        own -= {"--json", "--stack", "--local", "--profile", "--help"}
        assert all(f"- `{option}" in part for option in own), path
