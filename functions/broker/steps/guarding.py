"""Check Input and Moderate Output: the policies that hold for a job, before and after the model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from broker.errors import CredentialRejected
from broker.guardrails.blocked import sentence
from broker.guardrails.engines.weighing import weigh
from broker.guardrails.pipeline import Report, inspect
from broker.guardrails.policy import Stage
from broker.guardrails.walk import Seen, has_unread, input_texts, output_texts
from broker.jobs.store import Jobs, Payloads
from broker.steps.context import Run, enter, material, original
from broker.steps.hearing import Heard, digest_of, kept_verdicts, named, naming
from broker.steps.redacting import redact_answer, redact_request
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants


@dataclass(frozen=True, slots=True)
class Guard:
    """Runs the policies, keeps what they found beside the job, and takes out what is not to be seen."""

    jobs: Jobs
    payloads: Payloads
    tenants: Tenants
    policies: Policies
    secret: Callable[[str], str]
    """Gives the key of a tenant's hashes by its name; asked only where something is to be hashed."""

    def check_input(self, run: Run, now: int, asked: str = "") -> dict[str, Any]:
        """Check the request; or what engines that were `asked` (`hearing.naming`) said of it.

        Returns:
            As `outcome`; with `"redacted": True` where models may not see all of it, with `redacts` as in `Run` where
            rules take personal data out, with `ask` where engines are to be asked: the rules (`naming`) that they judge
            for; and with `"judges": True` where they judge the answer, too.

        Raises:
            Conflict: the run is stale.
            PolicyMissing: a policy that is to hold is not there.
        """
        request = material(self.payloads, run) if asked else original(self.payloads, run.id)
        report, key = self._report(run, "input", input_texts(request), asked, now)
        told = self._outcome(run, "input", report, now)
        if redact_request(self.jobs, self.payloads, run, request, report.edits, key):
            told["redacted"] = True
        taken = {report.redacts, run.redacts if asked else None} - {None}
        if taken:
            told["redacts"] = all(taken) and not has_unread(request)
        return (
            ({"redacted": True} if run.redacted else {}) | ({"judges": True} if self._judges(run, now) else {}) | told
        )

    def _judges(self, run: Run, now: int) -> bool:
        """True where engines judge the answer, too."""
        holding = self.policies.holding(self.tenants.get(run.tenant, now), run.policies, now)
        return any(rule.models and "output" in rule.stages for policy in holding for rule in policy.rules)

    def moderate_output(self, run: Run, output: str, now: int, asked: str = "") -> dict[str, Any]:
        """The same for the answer kept as the payload `output`, which is changed where it is not to be seen as it is.

        Returns as `outcome`, with `ask`, and with `"unkept": True` where a check failed: no cache keeps such an answer.
        """
        if run.keeps:
            # The cache finds an answer by the rules that held, so it has to have passed none that are older.
            self.tenants.forget(run.tenant)
            self.policies.forget()
        answer = self.payloads.load(run.id, output, fresh=bool(asked), words=True)
        report, key = self._report(run, "output", output_texts(answer), asked, now)
        if report.edits:
            redact_answer(self.jobs, self.payloads, run, output, answer, report.edits, key)
        told = self._outcome(run, "output", report, now)
        # What nobody has judged may pass here, where its rule is open; other jobs get no such answer.
        return told | ({"unkept": True} if any(each.action == "error" for each in report.findings) else {})

    def _outcome(self, run: Run, stage: Stage, report: Report, now: int) -> dict[str, Any]:
        holding = set() if stage in run.released else report.holding
        told = outcome(stage, report.blocking, holding, lambda: self.tenants.get(run.tenant, now).language)
        return told | ({"ask": naming(report.asking)} if report.asking and not told["blocked"] else {})

    def _report(self, run: Run, stage: Stage, texts: Iterable[Seen], asked: str, now: int) -> tuple[Report, bytes]:
        """The report, which is kept, and the key of hashes; empty where there is nothing to hash."""
        tenant = self.tenants.get(run.tenant, now)
        holding = self.policies.holding(tenant, run.policies, now)
        if asked:
            read = list(texts)
            digest = digest_of(read)
            heard = kept_verdicts(self.payloads, run, stage) or Heard(named(holding, asked, stage), of=digest)
            # A repeat finds what it has taken out before: the places that engines told are those of the text they read.
            report = weigh(stage, heard.rules, heard.verdicts, read, changed=heard.of != digest)
        else:
            report = inspect(stage, texts, holding, lambda: material(self.payloads, run))
        key = b""
        if report.hashes:
            key = self._key(tenant.redaction_secret)
            if not key:
                report.fail("hash")
        if report.findings:
            # The head is only read where there is something to write: all that follows is fenced by itself.
            self.jobs.note(
                enter(self.jobs, run),
                f"GUARD#{run.fence.run}#{stage}" + ("#engines" if asked else ""),
                {"findings": [each.to_item() for each in report.findings]},
            )
        return report, key

    def _key(self, name: str | None) -> bytes:
        try:
            return self.secret(name).encode() if name else b""
        except CredentialRejected:
            return b""


def outcome(
    stage: Stage, blocking: Iterable[str], holding: Iterable[str], language: Callable[[], str]
) -> dict[str, Any]:
    """What the workflow is told of a stage: the rules that stop the run, if any do, and whether for good.

    Args:
        stage: before the model, or after it.
        blocking: the rules that end the job.
        holding: those that want a person to look, where nobody has yet.
        language: gives the one of the tenant's users.

    Returns:
        `{"blocked": bool, "rules": [names]}`, with a `message` for the job's user where it is blocked. Where the run
        only stops until a person has looked, `held` is beside it (`{"stage", "rules", "message"}`): an execution that
        knows of no reviews blocks.
    """
    rules = sorted(blocking)
    held = sorted(holding) if not rules else []
    if not rules and not held:
        return {"blocked": False, "rules": []}
    told = {"rules": rules or held, "message": sentence(stage, rules or held, language())}
    return {"blocked": True, **told} | ({"held": {"stage": stage, **told}} if held else {})
