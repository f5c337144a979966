"""Trying a text against guardrail policies: what a job would meet, without one. Nothing is kept, and nothing logged."""

import os
from dataclasses import dataclass
from typing import Any

from broker.guardrails.pipeline import inspect
from broker.guardrails.placeholders import Placeholders, placeholders_in
from broker.guardrails.redaction import redacted
from broker.guardrails.walk import input_texts, output_texts
from broker.jobs.reading import finding
from broker.jobs.trial import Trial
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants


@dataclass(frozen=True, slots=True)
class TryPolicies:
    """Answers what Check Input or Moderate Output would find."""

    tenants: Tenants
    policies: Policies

    def __call__(self, trial: Trial, tenant_id: str, now: int) -> dict[str, Any]:
        """The outcome in its public form (`contract.guardrails.TrialOutcome`).

        Raises:
            NotFound: it names a policy that the tenant may not try.
            PolicyMissing: one of the tenant's own is not there.
        """
        tenant = self.tenants.get(tenant_id, now)
        self.policies.check_open(tenant, trial.policies, now)
        tried = [each for each in trial.policies if each not in tenant.guardrails]  # its own hold anyway
        document: dict[str, Any] = {trial.stage: trial.document}
        texts = list(input_texts(document) if trial.stage == "input" else output_texts(document["output"]))
        report = inspect(trial.stage, texts, self.policies.holding(tenant, tried, now))
        if report.hashes and not tenant.redaction_secret:
            report.fail("hash")  # as a job would be
        changed = None
        if report.edits and not report.blocked:
            # Hashes have a key of this call's own: they are not those of jobs.
            names = Placeholders(placeholders_in(seen.text for seen in texts))
            changed = redacted(document, report.edits, names, os.urandom(32))[trial.stage]
        return {
            "blocked": report.blocked,
            "held": bool(report.holding) and not report.blocked,
            "rules": sorted(report.blocking or report.holding),
            "findings": [finding(each.to_item()) for each in report.findings],
            "redacted": changed,
            "not_asked": sorted({engine for _, rule in report.asking for engine in rule.models}),
        }
