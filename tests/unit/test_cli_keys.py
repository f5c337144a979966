"""`broker key list` and `revoke`, `--version`, and completion."""

import io
import subprocess
from typing import Any

import pytest
from broker.cli import main, registry_of, stack_outputs
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.tenants.api_keys import key_hash, key_id
from broker.tenants.identity import Unauthorized

from tests.unit import test_cli
from tests.unit.test_cli import identity, register, run, tables

session = test_cli.session
"""The fixture: a shell with credentials, and a deployed stack."""


@pytest.fixture
def keys(session: Any, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """A key of each of two tenants, one of which is called as an action."""
    registry = registry_of(session, stack_outputs(session, "my-broker"))
    apply(registry, parse_registry({"tenants": [{"id": "acme"}, {"id": "list"}]}), by="tests", now=1)
    (acme,) = run(capsys, "key", "acme", "--principal", "ci")
    (listed,) = run(capsys, "key", "create", "list", "--principal", "me\x1b[2J", "--days", "1")
    return {"acme": acme, "list": listed}


def test_keys_are_listed_by_ids_and_never_shown(keys: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "key", "list")
    assert lines[-1] == "2 keys"
    assert [line.split()[:2] for line in lines[:-1]] == [[key_id(key_hash(keys[name])), name] for name in keys]
    assert "active" in lines[0] and lines[0].endswith("for ever")
    shown = "\n".join(lines)
    assert not any(key in shown or key_hash(key) in shown for key in keys.values()) and "\x1b" not in shown
    assert len(run(capsys, "key", "list", "acme")) == 2


@pytest.mark.parametrize("by_id", [True, False])
def test_a_revoked_key_opens_nothing_and_no_other_is_touched(
    session: Any,
    keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    by_id: bool,
) -> None:
    named = ["acme", key_id(key_hash(keys["acme"]))] if by_id else []
    for _ in range(2):  # it may be repeated
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{keys['acme']}\n"))
        run(capsys, "key", "revoke", *named)
    with pytest.raises(Unauthorized) as refused:
        identity(session, keys["acme"])
    assert refused.value.reason == "revoked_key"
    assert identity(session, keys["list"]).tenant == "list"
    lines = run(capsys, "key", "list", "acme")
    assert "revoked" in lines[0] and "acme" in lines[0] and lines[1] == "1 keys"


def test_a_key_from_before_keys_were_listed_is_revoked_by_itself(
    session: Any,
    keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = tables(session)
    name = database._names["registry"]
    session.client("dynamodb").delete_item(
        TableName=name, Key={"pk": {"S": "KEYS#acme"}, "sk": {"S": key_id(key_hash(keys["acme"]))}}
    )
    assert run(capsys, "key", "list", "acme") == ["0 keys"]
    monkeypatch.setattr("sys.stdin", io.StringIO(keys["acme"]))
    run(capsys, "key", "revoke")
    with pytest.raises(Unauthorized):
        identity(session, keys["acme"])
    assert "revoked" in run(capsys, "key", "list", "acme")[0]


@pytest.mark.parametrize(("named", "text"), [(["list"], "acme's"), ([], "no key"), ([], "")])
def test_a_key_that_is_not_there_is_not_revoked(
    session: Any,
    keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    named: list[str],
    text: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    named = [*named, key_id(key_hash(keys["acme"]))] if named else []
    assert main(["key", "revoke", *named]) == 5
    assert "There is no such key." in capsys.readouterr().err
    assert identity(session, keys["acme"]).tenant == "acme"


def test_a_tenant_without_an_id_revokes_nothing(keys: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "revoke", "acme"]) == 3
    assert "broker key list" in capsys.readouterr().err


def test_a_tenant_that_is_not_registered_is_said_to_be_none(
    session: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    register(session, "acme")
    assert main(["key", "acmee", "--principal", "ci"]) == 4
    assert "The tenant 'acmee' is not registered; `broker apply` registers tenants." in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        "key acme --principal ci",
        "--stack my-broker key acme --principal ci",
        "key create acme --principal ci",
        "keys acme --principal ci",
        "key --principal ci acme",
    ],
)
def test_what_is_made_may_be_left_unsaid(session: Any, capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    register(session, "acme")
    (key,) = run(capsys, *arguments.split())
    assert identity(session, key).tenant == "acme"


def test_a_tenant_that_is_called_as_a_command_needs_the_longer_form(
    session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    register(session, "list")
    (key,) = run(capsys, "key", "create", "list", "--principal", "ci")
    assert identity(session, key).tenant == "list"
    assert run(capsys, "key", "list", "list")[-1] == "1 keys"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "broker 0.1.0\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ke"], {"key", "keys"}),
        (["key", "re"], {"revoke"}),
        (["--local", "key", "l"], {"limit", "list"}),
        (["completion", "z"], {"zsh"}),
        (["jobs", "--sta"], {"--status", "--stack"}),
        (["history", "mod"], {"models"}),
    ],
)
def test_a_shell_completes_the_words(capsys: pytest.CaptureFixture[str], words: list[str], completed: set[str]) -> None:
    script = "\n".join(run(capsys, "completion", "bash"))
    quoted = " ".join(f"'{word}'" for word in ["broker", *words])
    asked = f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _broker; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert set(done.stdout.split()) == completed
