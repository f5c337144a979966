"""`python -m local up | demo | down`: the embedded cloud from one command."""

import argparse
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from local.deployment import Cloud, DeployFailed, build, deploy
from local.seeding import Seeded, seed
from local.servers import ROOT, NotStarted, Servers

FOLDER = Path(os.environ.get("BROKER_LOCAL_DIR", ROOT / ".local"))


@dataclass(frozen=True, slots=True)
class Up:
    """The stack as it runs."""

    cloud: Cloud
    outputs: dict[str, str]
    seeded: Seeded
    models_url: str


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def up(*, persist: bool, folder: Path = FOLDER, parameters: tuple[str, ...] = (), built: Path | None = None) -> Up:
    """Start, build, deploy (with parameters of the template, `Name=value`) and seed; repeats bring it up to date.

    `built` is where the artefacts are, if they are there already.
    """
    servers = Servers(folder, say)
    if not servers.running() and not persist:
        for name in ("state", "s3", "tmp", "seeded.json"):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    say("starting the embedded cloud …")
    running = servers.start(persist=persist)
    if not built:
        say("building …")
        build(folder)
    say("deploying …")
    cloud = Cloud(running["cloud"].url)
    outputs = deploy(cloud, built or folder, extra=parameters)
    seeded = seed(cloud, outputs, running["models"].url, folder)
    return Up(cloud, outputs, seeded, running["models"].url)


def tell(stack: Up) -> None:
    """What to try next."""
    base = stack.cloud.base_url(stack.outputs["ApiId"])
    say(f"\nbase URL  {base}\nAPI key   {stack.seeded.api_key}\n\nTry:\n")
    say(f"""  curl -s {base}/jobs -H 'Prefer: wait=20' \\
    -H 'Authorization: Bearer {stack.seeded.api_key}' -H 'Content-Type: application/json' \\
    -d '{{"input": {{"text": "Summarize: The lamp needed nobody. The keeper distrusted it, then slept."}}}}'

For the AWS CLI and .venv/bin/broker:
""")
    for name, value in stack.cloud.environment().items():
        say(f"  export {name}={value}")
    say("\n`make down` stops it.")


def main() -> int:
    """Run one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=["up", "demo", "down"])
    command = parser.parse_args().command
    if command == "down":
        stopped = Servers(FOLDER, say).stop()
        say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
        return 0
    persist = os.environ.get("PERSIST", "0") == "1"
    try:
        stack = up(persist=persist)
        if command == "demo":
            from local.demo import Demo, DemoFailed

            try:
                Demo(stack.cloud, stack.outputs, stack.seeded, say).run()
            except DemoFailed as error:
                say(f"\nthe demo failed: {error}\nlogs are in {FOLDER}")
                return 1
    except (NotStarted, DeployFailed) as error:
        say(str(error))
        return 1
    tell(stack)
    return 0


if __name__ == "__main__":
    sys.exit(main())
