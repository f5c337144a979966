"""The way of a job as a tree: what was asked, which models were taken or left and why, calls, findings, deliveries."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from broker.cli.next_steps import next_step
from broker.cli.printable import on_one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

Branch = tuple[str, list[str]]
"""What it is about, and a line for each thing."""

FACTS = ("at", "event")
"""Of an event; the others are told by name."""


def branches(job: Mapping[str, Any], events: list[Mapping[str, Any]]) -> Iterator[Branch]:
    """The branches of the tree, in the order of the way; those with nothing in them are left out.

    Args:
        job: as `GET /v1/jobs/{id}?include=route` has it.
        events: as `GET /v1/jobs/{id}/events` has them.
    """
    found: list[Branch] = [
        ("stages", [_event(each) for each in events]),
        ("models", [_candidate(each) for each in job["route"] or ()]),
        ("calls", [_attempt(each) for each in job["attempts"]]),
        ("guardrails", [_finding(each) for each in job["guardrails"] or ()]),
        ("money", [*_money(job)]),
        ("deliveries", [line for each in job["delivery"] or () for line in _delivery(each)]),
    ]
    if error := job["error"]:
        step = next_step(error["type"], error["code"])
        found.append(("error", [f"{error['code']}: {error['message']}", f"next: {step}"]))
    yield from ((name, [on_one_line(line) for line in lines]) for name, lines in found if lines)


def title(job: Mapping[str, Any]) -> str:
    """The root of the tree."""
    return on_one_line(f"{job['id']}  {job['status']}  {job['task']}  {job['model']}")


def text(job: Mapping[str, Any], events: list[Mapping[str, Any]]) -> str:
    """The tree without a terminal: branches set in, and their lines twice."""
    lines = [title(job)]
    for name, told in branches(job, events):
        lines += [f"  {name}", *(f"    {line}" for line in told)]
    return "\n".join(lines)


def tree(job: Mapping[str, Any], events: list[Mapping[str, Any]]) -> "RenderableType":
    """The tree on a terminal."""
    from rich.text import Text
    from rich.tree import Tree

    made = Tree(Text(title(job), style="bold"))
    for name, told in branches(job, events):
        branch = made.add(Text(name, style="cyan"))
        for line in told:
            branch.add(Text(line))
    return made


def _event(event: Mapping[str, Any]) -> str:
    more = (f"{name} {_short(value)}" for name, value in event.items() if name not in FACTS and value is not None)
    return "  ".join([event["at"], event["event"], *more])


def _candidate(candidate: Mapping[str, Any]) -> str:
    return f"{'taken' if candidate['taken'] else 'left '}  {candidate['model']}: {candidate['why']}"


def _attempt(attempt: Mapping[str, Any]) -> str:
    latency = "" if attempt["latency_ms"] is None else f"  {attempt['latency_ms']} ms"
    times = f"  {attempt['times']} times" if attempt["times"] > 1 else ""
    error = f"  {attempt['error']['code']}: {attempt['error']['message']}" if attempt["error"] else ""
    paid = f"  {attempt['cost_usd']:.6f} $ ({'perhaps paid' if attempt['paid'] == 'unknown' else attempt['paid']})"
    what = f"{attempt['id']}  {attempt['model']}  {attempt['operation']}  {attempt['outcome']}"
    return f"{what}{latency}{times}{paid}{error}"


def _finding(finding: Mapping[str, Any]) -> str:
    shadow = "  in the shadow" if finding["shadow"] else ""
    what = f"{finding['stage']}  {finding['policy']}  {finding['rule']}/{finding['kind']}"
    return f"{what}  {finding['action']}  {finding['count']} in {finding['place']}{shadow}"


def _money(job: Mapping[str, Any]) -> Iterator[str]:
    used = job["usage"]
    if used:
        yield f"{used['cost_usd']:.6f} $ for {used['input_tokens']} tokens in and {used['output_tokens']} out"
    unknown = sum(each["cost_usd"] for each in job["attempts"] if each["paid"] == "unknown")
    if unknown:
        yield f"{unknown:.6f} $ of it may have been paid for no answer"


def _delivery(delivery: Mapping[str, Any]) -> Iterator[str]:
    where = f"  to {delivery['endpoint_id']}" if delivery["endpoint_id"] else ""
    later = f"  again at {delivery['next_at']}" if delivery["next_at"] else ""
    yield f"{delivery['id']}  {delivery['event']}{where}  {delivery['state']}{later}"
    for each in delivery["attempts"]:
        yield f"  {each['at']}  {each['status'] or each['error']}  {each['latency_ms']} ms"


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
