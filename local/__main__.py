"""`python -m local up | demo | down`: the embedded cloud from one command."""

import argparse
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from local import environment
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


PARAMETERS = ("Push=on",)
"""Of a developer's stack: what is not switched on by itself and costs nothing here, for the examples to have it."""


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
    stack = Up(cloud, outputs, seeded, running["models"].url)
    environment.write(stack, folder)
    return stack


def tell(stack: Up) -> None:
    """What it is called by, and what to try next. Its secrets are of this machine alone, so they are shown."""
    known = environment.variables(stack)
    width = max(map(len, known))
    say("\nThe stack runs:\n")
    for name in (name for name in known if name.startswith("BROKER_")):
        say(f"  {name:{width}}  {known[name]}")
    say(f"\nThe console: {stack.outputs['ApiUrl']}/console (sign in with BROKER_API_KEY, or as an operator)")
    file = FOLDER / environment.NAME
    file = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    say(f"""
All of this, and what the AWS CLI needs, is in {file}. Try:

  . {file}
  curl -s "$BROKER_URL/jobs" -H "Authorization: Bearer $BROKER_API_KEY" -H 'Content-Type: application/json' \\
    -H 'Prefer: wait=20' -d '{{"input": "Summarize: The lamp needed nobody. The keeper distrusted it, then slept."}}'

  .venv/bin/broker submit --text "Summarize: The lamp needed nobody. The keeper distrusted it, then slept."
  .venv/bin/broker plan examples/registry

`make down` stops it.""")


def main() -> int:
    """Run one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=["up", "demo", "down"])
    command = parser.parse_args().command
    if command == "down":
        environment.remove(FOLDER)
        stopped = Servers(FOLDER, say).stop()
        say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
        return 0
    persist = os.environ.get("PERSIST", "0") == "1"
    try:
        stack = up(persist=persist, parameters=PARAMETERS)
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
