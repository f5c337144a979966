"""Making a conversation fit its model's window, with a summary of its older turns where the job asked for one."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.context.fitting import SUMMARY_TOKENS, Message, fit_request
from broker.context.summarising import summary_request, with_summary
from broker.errors import BrokerError, Conflict, TimedOut
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.routing.models import Model, Models
from broker.routing.question import Question
from broker.steps.beside import summariser
from broker.steps.calling import Calling
from broker.steps.context import Run, enter
from broker.steps.counting import counter
from broker.tenants.registry import Tenants
from broker.tokens import estimate_input, family_of

SUMMARIZES = "summarize"


@dataclass(frozen=True, slots=True)
class Shorten:
    """Fits requests by their own `context.strategy`."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    tenants: Tenants
    calling: Calling

    def __call__(
        self, run: Run, head: Head, model: Model, request: dict[str, Any], now: int
    ) -> tuple[Head, dict[str, Any]]:
        """The head (a summary is a call of the job's), and the request as the model will get it.

        What was done is noted beside the job.

        Raises:
            ContextExceeded: it does not fit, and the strategy may not or cannot help.
            Conflict: the run is stale.
        """
        if request["task"] != "chat" or request.get("context", {}).get("strategy", "error") == "error":
            return head, request  # what is surely too long was not selected; of the rest, the provider judges
        most = Question(request, counter(request), now).most_output(model)
        family = family_of(model.name)
        # An answer needs room too, but a limit that was never asked for must not crowd the prompt out.
        reserve = most if "max_output_tokens" in request.get("parameters", {}) else min(most, model.context_window // 4)
        fitted = fit_request(request, model.context_window, reserve, family)
        if fitted.done is None:
            return head, request
        done, shortened = fitted.done, fitted.request
        if fitted.to_summarise:
            try:
                shortened = with_summary(shortened, self._summary(run, fitted.to_summarise, model, now))
                done = done | {"tokens_after": estimate_input(shortened, family)}
            except (Conflict, TimedOut):
                raise
            except BrokerError:  # older turns are then left out, and the job says so
                done = done | {"strategy": "truncate_oldest", "tokens_after": estimate_input(shortened, family)}
            head = enter(self.jobs, run)
        self.jobs.note(run, f"CONTEXT#{run.fence.run}", done | {"model": model.id})
        return head, shortened

    def _summary(self, run: Run, turns: Sequence[Message], model: Model, now: int) -> str:
        """Of these turns; kept beside the job, so that another candidate does not pay for it again."""
        name = f"SUMMARY#{zlib.crc32(json.dumps(turns, sort_keys=True).encode()):08x}"
        if kept := self.payloads.load(run.id, name):
            return str(kept["text"])
        allowed = self.tenants.get(run.tenant, now).models
        cheap = summariser(self.models.catalog(now), allowed, SUMMARY_TOKENS) or model
        asked = summary_request(turns, cheap.context_window, family_of(cheap.name))
        text = str(self.calling.aside(run, cheap, asked, SUMMARIZES, now).get("text", ""))
        self.payloads.save(run, name, {"text": text})
        return text
