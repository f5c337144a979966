"""What a batch would cost, from a sample of its rows: nothing is run, kept or held."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from broker.batches.asking.hours import OffPeak
from broker.batches.asking.request import BatchRequest
from broker.batches.asking.sampling import Sample, Sampling
from broker.batches.asking.submitting import Submit
from broker.batches.rows.sources import RowRequest
from broker.clock import NANO, iso, usd
from broker.errors import BrokerError, InvalidRequest
from broker.jobs.accepting import Caller
from broker.jobs.request import JobRequest

MOST_ERRORS = 5
"""That are told; the others are counted."""

Quote = Callable[[JobRequest, Caller, int], dict[str, Any]]
"""The estimate of one job (`POST /v1/estimates`); for who asks, at a moment."""

BatchPrice = Callable[[str, int, int, int], int | None]
"""Nano-dollars that a call of so many tokens in, and at most so many out, is expected to cost by the price that the
model's provider has for batches, at a moment; None for none."""


@dataclass(frozen=True, slots=True)
class EstimateBatch:
    """Answers what would become of a batch now."""

    submit: Submit
    sampling: Sampling
    quote: Quote
    batch_price: BatchPrice
    at_once: Callable[[], int | None]
    """How many jobs of one tenant may run at once; None where that is not known."""

    def __call__(self, request: BatchRequest, caller: Caller, now: int) -> dict[str, Any]:
        """The estimate in its public form (`contract.batches.BatchEstimate`).

        Raises:
            InvalidRequest: and its kin, as from submitting the batch; not for rows, whose errors are told.
        """
        asked = self.submit.check(request, caller, now)
        sample = self.sampling(request, self.submit.found(request, caller.tenant, now), asked)
        quotes: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for row in sample.rows:
            try:
                quotes.append(self._quote(row.request(), replace(caller, door="batch"), now))
            except BrokerError as error:
                errors.append({"line": row.line, "param": None, **error.facts()})
        return self._shown(request, asked, sample, quotes, errors, now)

    def _quote(self, row: RowRequest, caller: Caller, now: int) -> dict[str, Any]:
        request = row.parse()
        try:
            return self.quote(request, caller, now)
        except InvalidRequest as error:
            raise row.named(error) from None

    def _shown(
        self,
        request: BatchRequest,
        asked: dict[str, Any],
        sample: Sample,
        quotes: list[dict[str, Any]],
        errors: list[dict[str, Any]],
        now: int,
    ) -> dict[str, Any]:
        looked = len(sample.rows)
        firsts = [each["candidates"][0] for each in quotes if each["candidates"]]
        share = sample.count / looked if looked else 0
        """Rows that one of the sample stands for."""
        expected = sum(_nano(each["expected_cost_usd"]) for each in firsts)
        worst = sum(_nano(each["worst_cost_usd"]) for each in quotes)
        models = Counter(each["model"] for each in firsts)
        seconds, basis = self._time(firsts, sample.count)
        cap = None if request.max_cost_usd is None else _nano(request.max_cost_usd)
        begins = request.begins_at(now)
        return {
            "object": "batch_estimate",
            "rows": sample.count,
            "rows_exact": sample.is_exact,
            "sample": {
                "rows": looked,
                "rejected": len(errors),
                "errors": errors[:MOST_ERRORS],
            },
            "input_tokens": round(share * sum(each["input_tokens"] for each in firsts)),
            "max_output_tokens": round(share * sum(each["max_output_tokens"] for each in firsts)),
            "expected_cost_usd": usd(round(share * expected)),
            "worst_cost_usd": usd(round(share * worst)),
            "provider_batch_cost_usd": self._as_a_batch(firsts, share, now),
            "models": [{"model": name, "rows": round(share * count)} for name, count in models.most_common()],
            "max_cost_usd": request.max_cost_usd,
            "may_be_capped": cap is not None and share * worst > cap,
            "begins_at": iso(OffPeak.of(asked["window"]).opens_at(begins) if "window" in asked else begins),
            "seconds": seconds,
            "seconds_basis": basis,
        }

    def _as_a_batch(self, firsts: Sequence[dict[str, Any]], share: float, now: int) -> float | None:
        """What the same would be expected to cost by the providers' batch prices; None unless all models have one."""
        total = 0
        for each in firsts:
            price = self.batch_price(each["model"], each["input_tokens"], each["max_output_tokens"], now)
            if price is None:
                return None
            total += price
        return usd(round(share * total)) if firsts else None

    def _time(self, firsts: Sequence[dict[str, Any]], rows: int) -> tuple[int | None, dict[str, Any] | None]:
        """Seconds, if rows take as long as jobs did of late, and as many of them run at once as may."""
        known = [each["mean_latency_ms"] for each in firsts if each["mean_latency_ms"] is not None]
        at_once = self.at_once()
        if not known or not at_once:
            return None, None
        mean = sum(known) / len(known)
        seconds = max(1, round(rows * mean / 1000 / min(rows, at_once)))
        return seconds, {"mean_latency_ms": round(mean), "jobs_at_once": at_once}


def _nano(dollars: float) -> int:
    return round(dollars * NANO)
