"""`python -m bench startup|packing|calls|pictures|cpu|price|throughput|all`: what it prints is in `bench/results/`."""

import argparse
import sys
from pathlib import Path

from local.servers import ROOT

FOLDER = ROOT / ".local" / "bench"

ALONE = ("startup", "packing", "calls", "pictures")
"""What needs no stack."""

WHAT = (*ALONE, "cpu", "price", "throughput", "all")


def main() -> int:
    """Run what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=WHAT)
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="work folder; a bench stack that runs there is used"
    )
    parser.add_argument("--starts", type=int, default=7, help="fresh starts of each handler")
    parser.add_argument("--counted", type=int, default=10, help="jobs that are counted one at a time")
    parser.add_argument("--jobs", type=int, default=100, help="jobs of the cpu and throughput runs")
    parser.add_argument("--clients", type=int, default=8, help="clients of the throughput run")
    parser.add_argument("--seconds", type=float, default=120, help="the throughput run's deadline")
    parser.add_argument("--keep-running", action="store_true", help="leave the stack up for the next run")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    if asked.what in ("startup", "all"):
        from bench import startup

        startup.run(folder, asked.starts)
    if asked.what in ("packing", "all"):
        from bench import packing

        packing.run()
    if asked.what in ("calls", "all"):
        from bench import calls

        calls.run()
    if asked.what in ("pictures", "all"):
        from bench import pictures

        pictures.run()
    if asked.what in ALONE:
        return 0
    from bench import cpu, price, throughput
    from bench.stack import running

    with running(folder, keep=asked.keep_running) as stack:
        if asked.what in ("cpu", "all"):
            cpu.run(stack, asked.jobs)
        if asked.what in ("price", "all"):
            price.run(stack, asked.counted)
        if asked.what in ("throughput", "all"):
            throughput.run(stack, asked.jobs, asked.clients, asked.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
