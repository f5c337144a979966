"""`python -m bench` and what is to be measured: what it prints is kept in `bench/results/`."""

import argparse
import sys
from pathlib import Path

from local.servers import ROOT

FOLDER = ROOT / ".local" / "bench"

ALONE = (
    *("idle", "startup", "packing", "calls", "pictures", "embeddings", "checking", "contention", "guardrails"),
    *("documents", "waiting", "rows", "batch"),
)
"""What needs no stack."""

WHAT = (*ALONE, "emulator", "cpu", "litellm", "price", "throughput", "overload", "all")


def main() -> int:
    """Run what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=WHAT)
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        help="of guardrails, labelled rows (JSON lines, also .gz); of documents, a folder",
    )
    parser.add_argument("--policy", type=Path, help="of guardrails: a file with a policy; all checks without it")
    parser.add_argument("--json", action="store_true", help="of guardrails and documents, the figures as JSON")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="work folder; bench stacks that run there are used")
    parser.add_argument("--starts", type=int, default=7, help="fresh starts of each handler")
    parser.add_argument("--counted", type=int, default=3, help="jobs of each text that are counted one at a time")
    parser.add_argument("--markdown", action="store_true", help="of idle and price, the tables for the docs alone")
    parser.add_argument("--jobs-per-month", type=float, default=1_000_000, help="of the price")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[3.0, 30.0], help="that a model takes, of the price"
    )
    parser.add_argument("--polls", type=float, default=1, help="of each job, of the price")
    parser.add_argument("--secrets", type=int, default=3, help="of providers and of webhooks, of the price")
    parser.add_argument(
        "--jobs", type=int, default=100, help="jobs of the cpu, litellm, emulator, throughput and overload runs"
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the largest batch of the rows run")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the emulator and litellm runs")
    parser.add_argument("--environment", type=Path, help="of litellm: a virtual environment that has `litellm[proxy]`")
    parser.add_argument("--clients", type=int, default=8, help="clients of the throughput run")
    parser.add_argument("--within", type=float, default=120, help="seconds until the throughput run is over")
    parser.add_argument("--lines", type=int, default=500, help="of the file of the overload run")
    parser.add_argument("--concurrency", type=int, default=10, help="functions that run at a time in the overload run")
    parser.add_argument("--keep-running", action="store_true", help="leave the stack up for the next run")
    asked = parser.parse_intermixed_args()  # files may come behind options
    if (asked.what in ("guardrails", "documents")) != bool(asked.files):
        parser.error("guardrails takes files of labelled rows, documents a folder, and nothing else takes any")
    if (asked.what == "litellm") != bool(asked.environment):
        parser.error("litellm takes the --environment that it is installed in, and nothing else does")
    if asked.what == "guardrails":
        from bench import guardrails

        guardrails.run(asked.files, asked.policy, as_json=asked.json)
        return 0
    if asked.what == "idle":
        from bench import idle

        idle.run(plain_markdown=asked.markdown)
        return 0
    if asked.what == "documents":
        from bench import documents

        if len(asked.files) != 1 or not asked.files[0].is_dir():
            parser.error("documents takes one folder")
        return documents.run(asked.files[0], as_json=asked.json)
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
    if asked.what in ("embeddings", "all"):
        from bench import embeddings

        embeddings.run()
    if asked.what in ("checking", "all"):
        from bench import checking

        checking.run()
    if asked.what == "waiting":
        from bench import waiting

        return waiting.run()
    if asked.what == "batch":
        from bench import batch

        return batch.run()
    if asked.what == "rows":
        from bench import rows

        return rows.run(asked.rows)
    if asked.what in ("contention", "all"):
        from bench import contention

        contention.run()
    if asked.what in ("emulator", "all"):
        from bench import emulator

        emulator.run(folder, asked.rounds, asked.jobs)
    if asked.what in (*ALONE, "emulator"):
        return 0
    from bench import cpu, price, throughput
    from bench.pricing import Traffic
    from bench.stack import METERED, PLAIN, running

    status = 0
    if asked.what in ("cpu", "all"):
        with running(folder / "plain", PLAIN, keep=asked.keep_running) as stack:
            cpu.run(stack, asked.jobs)
    if asked.what == "litellm":
        from bench import beside

        with running(folder / "plain", PLAIN, keep=asked.keep_running) as stack:
            beside.run(stack, asked.environment.resolve(), asked.rounds, asked.jobs)
    if asked.what in ("price", "all"):
        traffic = Traffic(asked.jobs_per_month, asked.polls, asked.secrets)
        with running(folder / "metered", METERED, keep=asked.keep_running) as stack:
            status = price.run(stack, asked.counted, traffic, asked.seconds, plain_markdown=asked.markdown)
    if asked.what in ("throughput", "all"):
        with running(folder / "plain", PLAIN, keep=asked.keep_running) as stack:
            throughput.run(stack, asked.jobs, asked.clients, asked.within)
    if asked.what == "overload":
        from bench import overload

        with running(folder / "scarce", PLAIN, keep=asked.keep_running, concurrency=asked.concurrency) as stack:
            status = overload.run(stack, asked.jobs, asked.lines, asked.concurrency)
    return status


if __name__ == "__main__":
    sys.exit(main())
