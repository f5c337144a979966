"""The commands, their arguments, and what they print."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from broker.cli import asking, batches, bulk, keys
from broker.cli.auditing import add_audit, audit
from broker.cli.compat.command import add as add_compat
from broker.cli.compat.command import compat
from broker.cli.completion import SHELLS, script
from broker.cli.dead_letters import add_dlq, dlq
from broker.cli.doctor import add_doctor, doctor
from broker.cli.document_runs import add_document, document
from broker.cli.documents import read
from broker.cli.files import add_files, files
from broker.cli.printable import on_one_line
from broker.cli.reviewing import add_feedback, add_reviews, export_feedback, review
from broker.cli.shell import Shell
from broker.cli.showing import history_text, plan_text, record_line
from broker.cli.stack import caller, put_secret, replay_all
from broker.cli.teardown import add_teardown, teardown
from broker.cli.this_machine import local_stack
from broker.clock import now_ms
from broker.errors import BrokerError, InvalidRequest
from broker.registry.applying import apply
from broker.registry.document import KINDS, parse_arms, parse_registry
from broker.registry.plan import make_plan, plan_label, plan_rollback

STACK = "inference-broker"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    options = _parser().parse_args(keys.spelled_out(sys.argv[1:] if arguments is None else arguments))
    try:
        shell = _shell(options)
        if of_any_state := OF_ANY_STATE.get(options.command):
            text, status = of_any_state(shell.session, options)
            print(text)
            return status
        if text := COMMANDS[options.command](shell):
            print(text)
    except asking.NotSucceeded as error:
        print(error)
    except BrokerError as error:
        print(f"broker: {on_one_line(error.message)}", file=sys.stderr)
    except (BotoCoreError, ClientError, OSError, ValueError) as error:  # no stack, no credentials, no such file
        print(f"broker: {error}", file=sys.stderr)
    else:
        return 0
    return 1


def _shell(options: argparse.Namespace) -> Shell:
    named = options.stack is not None
    local = local_stack(wanted=options.local, named=named, environment=os.environ, folder=Path.cwd())
    options.stack = options.stack or (None if local else os.environ.get("BROKER_STACK")) or STACK
    if local and options.command != "completion":
        print(f"broker: on the stack of this machine, {local['BROKER_URL']}", file=sys.stderr)
    environment = {**(local or {}), **os.environ}
    return Shell(options, environment | ({"BROKER_URL": local["BROKER_URL"]} if local else {}), local)


def _plan(shell: Shell) -> str:
    document = parse_registry(read(shell.options.path))
    return plan_text(make_plan(shell.registry, document, prune=shell.options.prune), done=False)


def _apply(shell: Shell) -> str:
    document = parse_registry(read(shell.options.path))
    plan = apply(shell.registry, document, by=caller(shell.session), now=now_ms(), prune=shell.options.prune)
    return plan_text(plan, done=True)


def _history(shell: Shell) -> str:
    return history_text(shell.registry.history(shell.options.kind, shell.options.id))


def _rollback(shell: Shell) -> str:
    registry, options = shell.registry, shell.options
    change = plan_rollback(registry, options.kind, options.id, options.version)
    if change is None:
        return f"nothing to do: {options.kind} {options.id} has the content of version {options.version}"
    return record_line(registry.write(change, caller(shell.session), now_ms()))


def _label(shell: Shell) -> str:
    registry, options = shell.registry, shell.options
    change = plan_label(
        registry, options.id, options.label, parse_arms({"arms": [_arm(each) for each in options.arms]})
    )
    if change is None:
        return f"nothing to do: {options.label} of {options.id} stands so"
    return record_line(registry.write(change, caller(shell.session), now_ms()))


def _arm(text: str) -> dict[str, int]:
    """An arm as the command has it: a version, or a version and a weight with a colon between."""
    version, _, weight = text.partition(":")
    try:
        return {"version": int(version), **({"weight": int(weight)} if weight else {})}
    except ValueError:
        raise InvalidRequest(f"{text!r} is no version with a weight; write 4 or 4:10.", param="arms") from None


def _secret(shell: Shell) -> str:
    put_secret(shell.session, shell.outputs, shell.options.name, sys.stdin.read().strip())
    return f"{shell.options.name} stored"


def _replay(shell: Shell) -> str:
    return f"{replay_all(shell.session, shell.outputs)} changes published again"


def _reviews(shell: Shell) -> str:
    return review(shell.session, shell.outputs, shell.options)


def _feedback(shell: Shell) -> str:
    return export_feedback(shell.session, shell.outputs, shell.options.path)


def _outputs(shell: Shell) -> str:
    return json.dumps(shell.outputs, indent=2)


def _import(shell: Shell) -> str:
    from broker.cli.importing import lines, litellm

    return litellm.imported(lines.read(shell.options.path), shell.options.tenant)


def _completion(shell: Shell) -> str:
    return script(_parser(), shell.options.shell)


COMMANDS: dict[str, Callable[[Shell], str]] = {
    "plan": _plan,
    "apply": _apply,
    "history": _history,
    "rollback": _rollback,
    "label": _label,
    "key": keys.key,
    "secret": _secret,
    "replay": _replay,
    "dlq": dlq,
    "reviews": _reviews,
    "feedback": _feedback,
    "outputs": _outputs,
    "files": files,
    "submit": asking.submit,
    "get": asking.get,
    "wait": asking.wait,
    "cancel": asking.cancel,
    "jobs": asking.jobs,
    "prompts": asking.prompts,
    "models": asking.models,
    "batch": batches.batch,
    "document": document,
    "bulk": bulk.bulk,
    "import": _import,
    "compat": compat,
    "completion": _completion,
}

OF_ANY_STATE: dict[str, Callable[[Any, argparse.Namespace], tuple[str, int]]] = {
    "audit": audit,
    "doctor": doctor,
    "teardown": teardown,
}
"""Commands that find fault, or are for stacks that may be broken or gone: what they print, and the exit status."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="broker", description="Use and operate a deployed inference broker.")
    parser.add_argument("--version", action="version", version=f"broker {version('inference-broker')}")
    parser.add_argument("--stack", help=f"its name; BROKER_STACK, or {STACK}, when left out")
    parser.add_argument("--local", action="store_true", help="the one that `make up` started, whatever the shell says")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("plan", "show what a registry document would change"), ("apply", "change it")):
        one = commands.add_parser(name, help=what)
        one.add_argument("path", help="a .yaml or .json file, or a folder of them")
        one.add_argument("--prune", action="store_true", help="disable what stands and is not in the document")
    one = commands.add_parser("import", help="write another gateway's configuration as a registry document")
    one.add_argument("gateway", choices=("litellm",))
    one.add_argument("path", metavar="CONFIG", help="its proxy's config.yaml")
    one.add_argument("--tenant", default="litellm", help="whose the configuration's budget is (litellm)")
    one = commands.add_parser("history", help="show the versions of an entry")
    _add_entry(one)
    one = commands.add_parser("rollback", help="give an entry the content of an older version, as a new one")
    _add_entry(one)
    one.add_argument("version", type=int)
    one = commands.add_parser("label", help="point a prompt's label to versions; without any it is taken away")
    one.add_argument("id", help="the prompt's")
    one.add_argument("label", help="such as production or staging")
    one.add_argument("arms", nargs="*", metavar="VERSION[:WEIGHT]", help="4, or 3:90 4:10 to divide the traffic")
    keys.add(commands.add_parser("key", help="make API keys, list and revoke them"))
    one = commands.add_parser("secret", help="store a secret read from standard input")
    one.add_argument("name", help="such as providers/openai or tenants/acme/webhook")
    commands.add_parser("replay", help="tell again what is in the dead letters of publish")
    add_dlq(commands.add_parser("dlq", help="look at dead letters, and send them to work again"))
    add_reviews(commands.add_parser("reviews", help="look at jobs that guardrails hold, and decide on them"))
    add_feedback(commands.add_parser("feedback", help="what was said of findings"))
    add_audit(commands.add_parser("audit", help="hold the audit trail against its chain, and list what was done"))
    add_files(commands.add_parser("files", help="put, list, read and delete files"))
    add_doctor(commands.add_parser("doctor", help="find what keeps the stack from working, and how to mend it"))
    add_teardown(commands.add_parser("teardown", help="remove the stack and all that it holds"))
    commands.add_parser("outputs", help="show the stack's outputs")
    asking.add(commands)
    batches.add(commands.add_parser("batch", help="run the rows of a file as one piece of work"))
    add_document(commands.add_parser("document", help="have a document worked on by a recipe"))
    bulk.add(commands.add_parser("bulk", help="cancel, or run again, all jobs that a filter finds"))
    add_compat(commands.add_parser("compat", help="what a program, or a recording of its calls, would find here"))
    one = commands.add_parser("completion", help="print a script that completes this command in your shell")
    one.add_argument("shell", choices=SHELLS)
    return parser


def _add_entry(command: argparse.ArgumentParser) -> None:
    command.add_argument("kind", choices=list(KINDS))
    command.add_argument("id")
