"""Starts the embedded cloud once, deploys onto it, and stops it."""

from collections.abc import Iterator

import pytest

from local.__main__ import up
from local.deployment import Cloud
from local.servers import ROOT, Servers
from tests.e2e.issuer import Issuer
from tests.e2e.registered import GUARDED_WORD, registry
from tests.e2e.stack import Stack
from tests.unit.provider_server import ProviderServer

FOLDER = ROOT / ".local" / "tests"


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
        running = up(persist=False, folder=FOLDER, parameters=("ProgressEvents=on",))
        stack = Stack(running.cloud, running.outputs, running.seeded, running.models_url)
        guardrail = _guardrail(running.cloud)
        stack.register(registry(stack.models_url, issuer.jwks_url, guardrail, f"{shaky.url}/v1"))
        yield stack
    finally:
        servers.stop()


def _guardrail(cloud: Cloud) -> str:
    """One of Bedrock's own; gives its id."""
    words = {"wordsConfig": [{"text": GUARDED_WORD}]}
    made = cloud.client("bedrock").create_guardrail(
        name="tests", wordPolicyConfig=words, blockedInputMessaging="No.", blockedOutputsMessaging="No."
    )
    return str(made["guardrailId"])
