"""What each function loads: imports are the cold start, so a heavy package has to be needed.

`python -m tests.contract.test_start` prints what each door loads.
"""

import os
import re
import subprocess
import sys
from functools import cache

import pytest

from tests.contract.stack import ROOT, door_of, functions, template

HEAVY = (
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser",
    "aws_lambda_powertools.event_handler",
    "aws_xray_sdk",
    "boto3",
    "botocore.client",
    "botocore.session",
    "broker.files",
    "broker.providers",
    "broker.registry",
    "broker.contract",
    "cryptography",
    "jsonschema_rs",
    "jwt",
    "multipart",
    "pydantic",
    "urllib3",
)
"""Packages and modules that cost a start more than a few milliseconds."""

S3 = {"botocore.client", "botocore.session", "urllib3", "cryptography"}
"""What a client of S3 needs, which no other service does (`broker.cloud.lean`); `cryptography` comes with it where
pyOpenSSL is installed, which the layer has not."""

AT_FIRST_USE: dict[str, tuple[str, set[str]]] = {
    "admin": ("admin", {"broker.registry", "pydantic"}),
    "api": ("api", {"pydantic"}),
    "authorize": ("identify", set()),
    "batch_rows": ("tend", {"pydantic"} | S3),
    "batch_step": ("plan_batch", set()),
    "check_input": ("guard", set()),
    "clean": ("clean", {"broker.files"}),
    "console": ("console_region", set()),
    "deliver": ("deliver", set()),
    "dispatch": ("workflows", set()),
    "intake": ("event_consumer", {"pydantic"}),
    "invoke_model": ("advance", {"broker.providers"}),
    "moderate_output": ("guard", set()),
    "publish": ("publish", set()),
    "push": ("listen", set()),
    "read_document": ("read_document", S3),
    "select_model": ("select_model", set()),
    "settle_job": ("settle_job", set()),
    "take_file": ("split", S3),
    "sweep": ("sweep", set()),
    "audit": ("append", S3),
}
"""The use case behind each door, and what building it may load."""

PROVIDERS = {f"broker.providers{name}" for name in ("", ".wire", ".wire.base", ".wire.sending")}
"""What may be loaded of the providers before one is looked up."""

LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
}
"""What Lambda sets, as far as clients look at it."""

CHOICES = {"REST_JOB_EVENTS": "always", "DOCUMENT_SCANS": "on", "TAKES_FILES": "on", "TENANT_REQUEST_RATE": "100"}
"""Variables that take certain words."""

DOORS = sorted(door_of(name) for name in functions())


@cache
def loaded(door: str, builder: str = "") -> frozenset[str]:
    """Modules that a fresh process has after importing a door and, where one is named, building its use case."""
    code = f"import sys, handlers.{door}\n"
    if builder:
        code += (
            "from broker.bootstrap import auditing, batch_results, batching, doors, inbox, pushing, running, sweeping\n"
            "rooms = auditing, doors, inbox, running, sweeping, batching, batch_results, pushing\n"
            f"next(getattr(room, {builder!r}) for room in rooms if hasattr(room, {builder!r}))()\n"
        )
    names = set(template()["Globals"]["Function"]["Environment"]["Variables"]) | {
        "AUDIT_BUCKET",
        "BASE_URL",
        "BATCH_WORKFLOW",
        "CONSOLE_REGION",
        "EXPRESS_WORKFLOW",
        "STANDARD_WORKFLOW",
    }
    given = {name: "x" for name in names if not name.startswith("POWERTOOLS_")} | LAMBDA | CHOICES
    base = {"PYTHONPATH": str(ROOT / "functions"), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", code + "print(*sys.modules)"]
    done = subprocess.run(command, env=base | (given if builder else {}), capture_output=True, text=True, timeout=60)  # noqa: S603
    assert done.returncode == 0, f"handlers.{door}: {done.stderr[-500:]}"
    return frozenset(done.stdout.split())


def heavy(modules: frozenset[str]) -> set[str]:
    found = {name for name in HEAVY if name in modules}
    return found - ({"broker.providers"} if not _providers(modules) else set())


def _providers(modules: frozenset[str]) -> set[str]:
    return {name for name in modules if name.startswith("broker.providers")}


def test_each_function_is_looked_at() -> None:
    assert set(DOORS) == AT_FIRST_USE.keys()
    text = {door: (ROOT / "functions" / "handlers" / f"{door}.py").read_text() for door in DOORS}
    for door, (builder, _) in AT_FIRST_USE.items():
        assert re.search(
            rf"\b(auditing|batch_results|batching|doors|inbox|pushing|running|sweeping)\.{builder}\(", text[door]
        ), f"handlers/{door}.py does not use {builder}"


@pytest.mark.parametrize("door", DOORS)
def test_a_door_loads_nothing_heavy_when_it_is_imported(door: str) -> None:
    found = heavy(loaded(door))
    assert not found, f"importing handlers.{door} loads {sorted(found)}: import it where it is used"


@pytest.mark.parametrize("door", DOORS)
def test_a_use_case_loads_only_what_it_needs(door: str) -> None:
    builder, allowed = AT_FIRST_USE[door]
    modules = loaded(door, builder)
    found = heavy(modules) - allowed
    assert not found, f"bootstrap.{builder} loads {sorted(found)} for handlers.{door}"
    assert _providers(modules) <= PROVIDERS, f"{door} loads a provider before it is looked up"


def test_what_is_allowed_is_loaded() -> None:
    for door, (builder, allowed) in AT_FIRST_USE.items():
        found = heavy(loaded(door, builder)) | {"cryptography"}
        assert allowed <= found, f"{door} no longer loads {sorted(allowed)}: forbid it"


if __name__ == "__main__":
    for each in DOORS:
        use = AT_FIRST_USE[each][0]
        for label, modules in (("import", loaded(each)), (use, loaded(each, use))):
            own = sum(name.split(".")[0] in ("broker", "handlers") for name in modules)
            names = ", ".join(sorted(heavy(modules)))
            print(f"{each:16} {label:13} {len(modules):5} modules, {own:3} of ours; heavy: {names}")
