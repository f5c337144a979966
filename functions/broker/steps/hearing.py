"""What engines said of a job, as it is kept between the step that asks them and the one that decides by it."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.guardrails.engines.verdicts import Verdict
from broker.guardrails.policy import Policy, Rule, Stage
from broker.guardrails.walk import Seen
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
    of: str = ""
    """The `digest_of` the texts that they are about."""


def digest_of(texts: Iterable[Seen]) -> str:
    """Tells texts, with their places, from all others: a verdict is about those that were read, and no others."""
    said = [[seen.path.steps(), seen.text] for seen in texts if seen.seam is None]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def keep_verdicts(payloads: Payloads, run: Run, stage: Stage, heard: Heard) -> None:
    """Keep them for a run's next step; never a word of the text is among them."""
    rules = [
        {"policy": policy.id, "version": policy.version, "shadow": policy.shadow, "rule": rule.to_item()}
        for policy, rule in heard.rules
    ]
    verdicts = {name: verdict.to_item() for name, verdict in heard.verdicts.items()}
    kept = {"run": run.fence.run, "of": heard.of, "rules": rules, "verdicts": verdicts}
    payloads.save(run, f"VERDICTS#{stage}", kept)


def kept_verdicts(payloads: Payloads, run: Run, stage: Stage) -> Heard | None:
    """What this run has heard so far; None where it asked nobody yet."""
    kept = payloads.load(run.id, f"VERDICTS#{stage}", fresh=True)
    return _heard(kept) if kept is not None and kept["run"] == run.fence.run else None


def earlier_verdicts(payloads: Payloads, run: Run, stage: Stage, asked: Heard) -> dict[str, Verdict]:
    """What an earlier run has heard of the very same, by the same rules: a job that was held does not pay for it twice.

    An engine that gave no verdict then is asked again.
    """
    kept = payloads.load(run.id, f"VERDICTS#{stage}", fresh=True)
    heard = _heard(kept) if kept is not None else None
    if heard is None or heard.of != asked.of or _facts(heard.rules) != _facts(asked.rules):
        return {}
    return {name: verdict for name, verdict in heard.verdicts.items() if not verdict.failed}


def _facts(rules: Rules) -> list[tuple[str, bool, Rule]]:
    return [(policy.name, policy.shadow, rule) for policy, rule in rules]


def _heard(kept: Mapping[str, Any]) -> Heard:
    verdicts = {name: Verdict.from_item(item) for name, item in kept["verdicts"].items()}
    return Heard([_rule(each) for each in kept["rules"]], verdicts, kept["of"])


def _rule(kept: Mapping[str, Any]) -> tuple[Policy, Rule]:
    rule = Rule.from_item(kept["rule"])
    return Policy(kept["policy"], kept["version"], (rule,), kept["shadow"]), rule
