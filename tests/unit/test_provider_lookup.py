"""Providers by name, imported on first use."""

import subprocess
import sys

import pytest
from broker.errors import InvalidRequest
from broker.jobs.fields import Task
from broker.providers import PROVIDERS, lookup

HEAVY = (
    "urllib3",
    "botocore",
    "jsonschema_rs",
    "broker.providers.openai.provider",
    "broker.providers.bedrock.provider",
)


def loaded(code: str) -> set[str]:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; {code}; print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    return set(done.stdout.split())


def test_each_provider_has_its_tasks_and_is_kept() -> None:
    for name in PROVIDERS:
        assert lookup(name).tasks <= set(Task)
        assert lookup(name).tasks
        assert lookup(name) is lookup(name)


def test_an_unknown_provider_is_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest) as caught:
        lookup("nobody")
    assert caught.value.code == "unknown_provider"


def test_nothing_is_loaded_before_it_is_used() -> None:
    assert loaded("import broker.providers, broker.providers.wire.base") == set()
    asked = "from broker.providers import lookup; lookup('openai')"
    assert loaded(asked) == {"urllib3", "broker.providers.openai.provider"}
