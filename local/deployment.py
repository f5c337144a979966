"""`sam build` and `sam deploy` onto the embedded cloud: the same as for an account, with another endpoint."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.servers import REGION, RESULTS, ROOT

STACK = "inference-broker"
ARTIFACTS = "inference-broker-artifacts"

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""That of functions here: this interpreter runs them."""

APIS = "/_aws/execute-api"
"""Where the REST API is for plain clients, which cannot set the Host header that AWS routes by."""

LOOPS = ("--language-extensions",)
"""Lets SAM CLI write the template's loops out. samconfig.toml says so too, but is not read for a template elsewhere."""


class DeployFailed(Exception):
    """SAM did not build or deploy; the message is the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """The embedded cloud, seen from a client."""

    url: str

    def client(self, service: str) -> Any:
        """A boto3 client of it; the same each time, for to make one takes a tenth of a second."""
        return _client(self.url, service)

    def environment(self) -> dict[str, str]:
        """What lets any AWS tool talk to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
        }

    def outputs(self, stack: str = STACK) -> dict[str, str]:
        """The stack's outputs."""
        found = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


@cache
def _client(url: str, service: str) -> Any:
    return boto3.Session().client(
        service,  # type: ignore[call-overload]  # any service's name
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator takes any
        config=Config(retries={"mode": "standard"}, max_pool_connections=50),
    )


def overrides() -> list[str]:
    """The template's parameters for this machine: the interpreter and processor at hand."""
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    return ["Target=local", f"Runtime={RUNTIME}", f"Architecture={machine}", f"SageMakerOutputBucket={RESULTS}"]


def build(folder: Path) -> None:
    """Build the artefacts.

    Raises:
        DeployFailed: SAM said no.
    """
    _sam("build", "--cached", "--parallel", *LOOPS, "--build-dir", str(folder / "build"),
         "--cache-dir", str(folder / "build-cache"), "--parameter-overrides", *overrides(),
         environment={"BUILD_RUNTIME": RUNTIME, "BUILD_PYTHON": sys.executable, "BUILD_PLATFORM": ""})  # fmt: skip


def deploy(cloud: Cloud, folder: Path, stack: str = STACK, *, extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Deploy what was built; repeats change nothing. Gives the stack's outputs.

    Args:
        cloud: where to.
        folder: where `build` left the artefacts.
        stack: the stack's name.
        extra: more parameter overrides.

    Raises:
        DeployFailed: SAM said no.
    """
    s3 = cloud.client("s3")
    if ARTIFACTS not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=ARTIFACTS)
    _sam("deploy", "--template-file", str(folder / "build" / "template.yaml"), "--stack-name", stack,
         "--s3-bucket", ARTIFACTS, "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset",
         "--no-fail-on-empty-changeset", "--no-progressbar", *LOOPS, "--parameter-overrides", *overrides(),
         f"LocalUrl={cloud.url}{APIS}", *extra,
         environment=cloud.environment())  # fmt: skip
    return cloud.outputs(stack)


def _sam(*arguments: str, environment: dict[str, str]) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(  # noqa: S603 - our own arguments
        [str(Path(sys.executable).with_name("sam")), *arguments],
        cwd=ROOT,
        env=inherited | {"AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise DeployFailed(f"sam {arguments[0]} failed:\n{done.stdout[-4000:]}")
