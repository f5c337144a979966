"""What engines said of a job, as it is kept between the step that asks them and the one that decides by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.guardrails.engines.verdicts import Verdict
from broker.guardrails.policy import Policy, Rule, Stage
from broker.jobs.store import Payloads
from broker.steps.context import Run

BY = ","
AT = "/"

Rules = list[tuple[Policy, Rule]]


def naming(rules: Iterable[tuple[Policy, Rule]]) -> str:
    """The rules by their places in their policies, as they travel (`strict@3/0,strict@3/2`)."""
    return BY.join(f"{policy.name}{AT}{policy.rules.index(rule)}" for policy, rule in rules)


def named(holding: Sequence[Policy], names: str, stage: Stage) -> Rules:
    """The rules of those names; where a policy has changed since, all that engines judge for now."""
    known = {
        f"{policy.name}{AT}{place}": (policy, rule) for policy in holding for place, rule in enumerate(policy.rules)
    }
    wanted = names.split(BY)
    if all(name in known for name in wanted):
        return [known[name] for name in wanted]
    return [(policy, rule) for policy, rule in known.values() if rule.models and stage in rule.stages]


@dataclass(frozen=True, slots=True)
class Heard:
    """The rules that engines were asked for, and what they said."""

    rules: Rules
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """By the names of questions."""


def keep_verdicts(payloads: Payloads, run: Run, stage: Stage, heard: Heard) -> None:
    """Keep them for a run's next step; never a word of the text is among them."""
    rules = [
        {"policy": policy.id, "version": policy.version, "shadow": policy.shadow, "rule": rule.to_item()}
        for policy, rule in heard.rules
    ]
    verdicts = {name: verdict.to_item() for name, verdict in heard.verdicts.items()}
    payloads.save(run, _name(stage), {"run": run.fence.run, "rules": rules, "verdicts": verdicts})


def kept_verdicts(payloads: Payloads, run: Run, stage: Stage) -> Heard | None:
    """What this run has heard so far; None where it asked nobody yet."""
    kept = payloads.load(run.id, _name(stage), fresh=True)
    if kept is None or kept["run"] != run.fence.run:
        return None
    rules = [_rule(each) for each in kept["rules"]]
    return Heard(rules, {name: Verdict.from_item(item) for name, item in kept["verdicts"].items()})


def _rule(kept: Mapping[str, Any]) -> tuple[Policy, Rule]:
    rule = Rule.from_item(kept["rule"])
    return Policy(kept["policy"], kept["version"], (rule,), kept["shadow"]), rule


def _name(stage: Stage) -> str:
    return f"VERDICTS#{stage}"
