"""How long each handler takes to start on the built artefact, and how much memory it then holds."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.artefact import Artefact, naive, ours
from bench.tables import keep, show, table
from local.servers import REGION, ROOT

NAIVE = "naive"

BESIDES = {
    "authorize": ("database",),
    "invoke_model": ("secrets", "provider"),
    "deliver": ("secrets",),
}
"""What a first call loads beyond the use cases that the handler names (see `bench/starting.py`)."""

AIM = 0.25
"""The worst handler's import, of the naive one's."""


@dataclass(frozen=True, slots=True)
class Start:
    """One fresh start: milliseconds of import, of import and first use, of the whole process; peak MB."""

    import_ms: float
    use_ms: float
    process_ms: float
    import_mb: float
    use_mb: float


def handlers(artefact: Artefact) -> dict[str, tuple[str, ...]]:
    """What each handler of the template builds at its first call, by the names of `broker.bootstrap`."""
    template = (ROOT / "template.yaml").read_text()
    found = {}
    for name in re.findall(r"Handler: handlers\.(\w+)\.handler", template):
        source = (artefact.task / "handlers" / f"{name}.py").read_text()
        builders = dict.fromkeys(re.findall(r"\b(?:doors|running)\.(\w+)\(", source))
        found[name] = (*builders, *BESIDES.get(name, ()))
    return found


def environment(artefact: Artefact) -> dict[str, str]:
    """The variables that `bootstrap` asks for, with stand-in values, and credentials that lead nowhere."""
    text = "\n".join(path.read_text() for path in sorted((artefact.task / "broker" / "bootstrap").glob("*.py")))
    asked = re.findall(r'setting\("(\w+)"\)|: "([A-Z_]+)"', text)
    return {one or other: "https://sqs.example/1/x" for one, other in asked} | {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "TARGET": "aws",
        "REST_JOB_EVENTS": "always",
        "TENANT_REQUEST_RATE": "100",
    }


def start(artefact: Artefact, module: str, builders: tuple[str, ...], variables: dict[str, str]) -> Start:
    """Start once. Nothing is written back: Lambda's `/var/task` and `/opt` are read-only (`-B`)."""
    script = Path(__file__).with_name("starting.py")
    command = [sys.executable, "-I", "-S", "-B", str(script), str(artefact.task), str(artefact.layer), module]
    began = time.perf_counter()
    done = subprocess.run([*command, *builders], capture_output=True, text=True, env=variables, check=False)  # noqa: S603 - our own
    took = (time.perf_counter() - began) * 1000
    if done.returncode:
        raise RuntimeError(f"{module} did not start:\n{done.stderr[-2000:]}")
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    return Start(process_ms=took, **facts)


def measure(folder: Path, repeats: int) -> dict[str, list[Start]]:
    """Start each handler and the naive one in turn, so that noise meets all alike."""
    mine, theirs = ours(folder), naive(folder)
    built, variables = handlers(mine), environment(mine)
    starts: dict[str, list[Start]] = {}
    for turn in range(repeats + 1):
        for name, builders in built.items():
            starts.setdefault(name, []).append(start(mine, f"handlers.{name}", builders, variables))
        starts.setdefault(NAIVE, []).append(start(theirs, "handler", (), variables))
        if turn == 0:
            starts.clear()  # the first turn fills the page cache
    return starts


def report(starts: dict[str, list[Start]]) -> dict[str, Any]:
    """Print the tables; gives them as JSON."""
    best = {name: min(each.import_ms for each in all_of) for name, all_of in starts.items()}
    rows, results = [], {}
    for name, all_of in starts.items():
        row = {
            "import_ms_min": best[name],
            "import_ms_median": statistics.median(each.import_ms for each in all_of),
            "of_naive": best[name] / best[NAIVE],
            "use_ms_min": min(each.use_ms for each in all_of),
            "use_ms_median": statistics.median(each.use_ms for each in all_of),
            "process_ms_min": min(each.process_ms for each in all_of),
            "import_mb": max(each.import_mb for each in all_of),
            "use_mb": max(each.use_mb for each in all_of),
        }
        results[name] = row
        rows.append([name, *(f"{value:.0%}" if key == "of_naive" else value for key, value in row.items())])
    heads = ["handler", "import min", "median", "of naive", "+ first use min", "median", "process min", "MB import",
             "MB first use"]  # fmt: skip
    show(table("Start-up on the built artefact with 1980 file times (milliseconds, MB)", heads, rows))
    worst = max(best.keys() - {NAIVE}, key=lambda name: best[name])
    share = best[worst] / best[NAIVE]
    verdict = "met" if share <= AIM else "MISSED"
    slow = max(best.keys() - {NAIVE}, key=lambda name: results[name]["use_ms_min"])
    whole = results[slow]["use_ms_min"] / best[NAIVE]
    again = "met" if whole <= AIM else "MISSED"
    show(f"\nworst import: {worst}, {share:.0%} of the naive {best[NAIVE]:.0f} ms (aim {AIM:.0%}: {verdict})")
    show(f"worst import and first use: {slow}, {whole:.0%} of it (the naive one makes its client at import: {again})")
    return {
        "handlers": results,
        "worst": worst,
        "worst_of_naive": share,
        "worst_use": slow,
        "worst_use_of_naive": whole,
    }


def run(folder: Path, repeats: int) -> None:
    """Measure, print and keep."""
    show(f"start-up: {repeats} starts of each handler …")
    keep("startup", report(measure(folder, repeats)))
