"""Making a conversation fit its model's window, with a summary of its older turns where the job asked for one."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from broker.context.fitting import SUMMARY_TOKENS, FittedRequest, Message, fit_request
from broker.context.summaries import (
    SUMMARIZES,
    Cut,
    Summaries,
    cut,
    mapping_of,
    may_be_kept,
    summary_of,
    told_in_full,
    with_kept_summary,
)
from broker.context.summarising import summary_request, with_summary
from broker.errors import BrokerError, Conflict, TimedOut
from broker.guardrails.untrusted import marked
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.routing.catalog import Models
from broker.routing.model import Model
from broker.routing.permitting import barring
from broker.routing.question import Question
from broker.steps.asked_by import who_of
from broker.steps.auxiliary import summariser
from broker.steps.calling import Calling
from broker.steps.context import Run, enter
from broker.steps.outcomes import SHORTENED
from broker.steps.token_counter import Material, counter
from broker.tenants.registry import Tenants
from broker.token_estimates import estimate_input, family_of

MADE, KEPT = "made", "kept"
"""Whose summary a job was answered with: its own, or one that an earlier job of the conversation paid for."""


@dataclass(frozen=True, slots=True)
class Shorten:
    """Fits requests by their own `context.strategy`."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    tenants: Tenants
    calling: Calling
    summaries: Callable[[], Summaries]
    """Where summaries are kept; asked for where a job made one of its conversation."""

    def __call__(
        self, run: Run, head: Head, model: Model, request: dict[str, Any], now: int
    ) -> tuple[Head, dict[str, Any]]:
        """The head (a summary is a call of the job's), and the request as the model will get it.

        What was done is noted beside the job. A summary of turns of the conversation is kept with it at once: it says
        nothing of this job, so how this job ends does not matter.

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
        if fitted.to_summarise:
            head, shortened, done = self._summarised(run, model, request, fitted, model.context_window - reserve, now)
        elif known := summary_of(request):
            shortened = with_kept_summary(fitted.request)
            done = {"strategy": SUMMARIZES, "dropped_turns": known.messages, "summary": KEPT}
        elif fitted.done is None:
            return head, request
        else:
            shortened, done = fitted.request, fitted.done
        before = told_in_full(request, estimate_input(marked(request), family), family)
        tokens = {"tokens_before": before, "tokens_after": estimate_input(marked(shortened), family)}
        self.jobs.note(run, f"CONTEXT#{run.fence.run}", done | tokens | {"model": model.id})
        return head, shortened | {SHORTENED: True}

    def _summarised(
        self, run: Run, model: Model, request: dict[str, Any], fitted: FittedRequest, room: int, now: int
    ) -> tuple[Head, dict[str, Any], dict[str, Any]]:
        """The head, the request with a summary in it, and what was done."""
        known = summary_of(request)
        parted = cut(request, fitted, room, family_of(model.name))
        try:
            text = self._summary(run, request, parted.to_summarise, model, now)
        except (Conflict, TimedOut):
            raise
        except BrokerError:  # older turns are then left out, and the job says so
            left_out = _counted(fitted.to_summarise, known.messages if known else 0)
            done = {"strategy": "truncate_oldest", "dropped_turns": left_out}
            shortened = with_summary(fitted.request, known.text) if known else fitted.request
            return enter(self.jobs, run), shortened, done | ({"summary": KEPT} if known else {})
        head = enter(self.jobs, run)
        self._keep(run, head, request, parted, text, now)
        dropped = _counted(parted.to_summarise, known.messages if known else 0)
        done = {"strategy": SUMMARIZES, "dropped_turns": dropped, "summary": MADE}
        return head, with_summary(parted.request, text), done

    def _summary(self, run: Run, request: dict[str, Any], turns: Sequence[Message], model: Model, now: int) -> str:
        """Of these turns; kept beside the job, so that another candidate does not pay for it again."""
        name = f"SUMMARY#{zlib.crc32(json.dumps(turns, sort_keys=True).encode()):08x}"
        if kept := self.payloads.load(run.id, name):
            return str(kept["text"])
        tenant, catalog = self.tenants.get(run.tenant, now), self.models.catalog(now)
        residency = catalog.residency(request, redacts=bool(run.redacts))
        barred = barring(catalog.permissions, who_of(request, tenant), request)
        cheap = summariser(catalog, tenant.models, SUMMARY_TOKENS, residency, barred) or model
        asked = summary_request(turns, cheap.context_window, family_of(cheap.name))
        text = str(self.calling.auxiliary(run, cheap, asked, SUMMARIZES, now).get("text", ""))
        self.payloads.save(run, name, {"text": text})
        return text

    def _keep(self, run: Run, head: Head, request: dict[str, Any], parted: Cut, text: str, now: int) -> None:
        """Keep a summary with its conversation, if this run still owns the job and nobody else kept one meanwhile."""
        known = request.mapping if isinstance(request, Material) else {}
        mapping = mapping_of(request, parted.to_summarise, known)
        if parted.summary is None or not may_be_kept(text, mapping):
            return
        history, summaries = request["history"], self.summaries()
        summary = replace(parted.summary, text=text, mapping=mapping)
        staged = summaries.stage_summary(run.tenant, request["conversation_id"], summary, history["mark"])
        if self.jobs.write_beside(head, staged):
            summaries.verify_turns(staged, parted.turns, history["since"], now)


def _counted(messages: Sequence[Message], of_known: int) -> int:
    """Messages that were said and that the model is not told word for word; a summary counts as what it stands for."""
    return len(messages) + (of_known - 1 if of_known else 0)
