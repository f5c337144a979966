"""checkov on what SAM makes of the template, and on its parts: `python -m tests.contract.checkov PROGRAM`.

Fails on what checkov finds and no exception names, and on an exception that nothing needs any more.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.contract.parts import FILES
from tests.contract.stack import functions, of_type
from tests.contract.translated import translated

FUNCTIONS = frozenset(functions())

Exceptions = dict[str, tuple[Collection[str], str]]

EXCEPTIONS: Exceptions = {
    "CKV_AWS_21": (
        {"PayloadsBucket", "OutboxBucket"},
        "What is deleted from payloads has to be gone; a repeat writes the same result into the outbox again.",
    ),
    "CKV_AWS_27": (
        {"RuleDeadLetters"},
        "It is encrypted with SQS's own key: events are there that could not be handed on for want of ours.",
    ),
    "CKV_AWS_67": ({"Trail"}, "It records data events of tables and buckets, all of which are of one region."),
    "CKV_AWS_115": (
        {name for name, each in functions().items() if "ReservedConcurrentExecutions" not in each},
        "A new account has ten functions at a time; ReservedConcurrency keeps some for those that must not wait.",
    ),
    "CKV_AWS_116": (
        FUNCTIONS,
        "Queues and the stream have dead letters; what the clock runs is run again, and nothing else is asynchronous.",
    ),
    "CKV_AWS_117": (
        {name for name, each in functions().items() if "VpcConfig" not in each},
        "They call services of AWS and nobody else; those that call others are in a network by parameter.",
    ),
    "CKV_AWS_120": (of_type("AWS::Serverless::Api").keys(), "Answers are each caller's own, and change as jobs go on."),
    "CKV_AWS_173": (FUNCTIONS, "No variable of a function is a secret: they name tables, queues and settings."),
}
"""By checkov's name of a check: where it is not kept to, and why."""


def strange(found: dict[str, set[str]], exceptions: Exceptions = EXCEPTIONS) -> list[str]:
    """What is found and in no exception, and what is in one and not found; a line each."""
    named = {check: set(resources) for check, (resources, _) in exceptions.items()}
    lines = []
    for check in sorted(found.keys() | named.keys()):
        for resource in sorted(found.get(check, set()) - named.get(check, set())):
            lines.append(f"{check}: {resource} is not as it should be")
        for resource in sorted(named.get(check, set()) - found.get(check, set())):
            lines.append(f"{check}: {resource} needs no exception any more")
    return lines


def failed(report: Any) -> dict[str, set[str]]:
    """From checkov's JSON: the resources that failed, by check."""
    by_check: dict[str, set[str]] = defaultdict(set)
    for each in (report[0] if isinstance(report, list) else report)["results"]["failed_checks"]:
        name = each["resource"].rpartition(".")[2]
        # SAM names a stage after its API.
        by_check[each["check_id"]].add(re.sub(r"^(Api)v1Stage$", r"\1", name))
    return by_check


def main(program: str) -> int:
    """Run it; 1 where something is strange."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "template.json").write_text(json.dumps(translated()))
        for path in FILES:
            shutil.copy(path, folder)
        command = [
            program,
            "--framework",
            "cloudformation",
            "--directory",
            folder,
            "--output",
            "json",
            "--skip-download",
        ]
        done = subprocess.run([*command, "--quiet", "--compact"], capture_output=True, text=True)  # noqa: S603 - our own
    try:
        report = json.loads(done.stdout)
    except ValueError:
        print(done.stdout, done.stderr, file=sys.stderr)
        return 2
    lines = strange(failed(report))
    print("\n".join(lines) or f"checkov: {len(EXCEPTIONS)} exceptions, each with its reason, and nothing else")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
