"""Starts the embedded cloud once, deploys onto it, and stops it; each worker of pytest-xdist has its own."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.__main__ import up
from local.deployment import Cloud, build
from local.servers import ROOT, Servers
from tests.e2e.issuer import Issuer
from tests.e2e.pushing import set_aside
from tests.e2e.registered import GUARDED_WORD, registry
from tests.e2e.stack import Stack
from tests.unit.provider_server import ProviderServer

TESTS = ROOT / ".local" / "tests"
"""Where the artefacts are, which all workers deploy."""

PARAMETERS = ("ProgressEvents=on", "Dashboard=on", "InvokeModelMemory=256", "Push=on", "Audit=on")
"""With the memory that docs/operations.md advises where engines are shown pictures."""

FOLDER = TESTS / os.environ.get("PYTEST_XDIST_WORKER", "")
"""The worker's own."""


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An OIDC issuer on the loopback interface."""
    with Issuer() as running:
        yield running


@pytest.fixture(scope="session")
def shaky() -> Iterator[ProviderServer]:
    """The far end of the model `shaky`: it answers as a test says."""
    with ProviderServer() as running:
        yield running


@pytest.fixture(scope="session")
def stack(issuer: Issuer, shaky: ProviderServer) -> Iterator[Stack]:
    """The deployed stack, in a work folder of its own: a stack that a developer runs is left alone."""
    servers = Servers(FOLDER, print)
    servers.stop()  # what a killed session left behind
    try:
        with _in_turn() as first:
            if first:
                build(TESTS)
            running = up(persist=False, folder=FOLDER, parameters=PARAMETERS, built=TESTS)
        set_aside(running.cloud)
        stack = Stack(running.cloud, running.outputs, running.seeded, running.models_url)
        guardrail = _guardrail(running.cloud)
        stack.register(registry(stack.models_url, issuer.jwks_url, guardrail, f"{shaky.url}/v1"))
        yield stack
    finally:
        servers.stop()


@contextmanager
def _in_turn() -> Iterator[bool]:
    """One worker after the other, for two would take the same port; true for the first of a run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    TESTS.mkdir(parents=True, exist_ok=True)
    with (TESTS / "turn").open("a+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        turn.seek(0)
        yield not run or turn.read() != run
        turn.truncate(0)
        turn.write(run)


def _guardrail(cloud: Cloud) -> str:
    """One of Bedrock's own; gives its id."""
    made = cloud.client("bedrock").create_guardrail(
        name="tests",
        wordPolicyConfig={"wordsConfig": [{"text": GUARDED_WORD}]},
        sensitiveInformationPolicyConfig={"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]},
        blockedInputMessaging="No.",
        blockedOutputsMessaging="No.",
    )
    return str(made["guardrailId"])
