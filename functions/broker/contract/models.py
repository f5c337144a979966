"""What the REST API says of models: what they are and how they fare, and who would do a job."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from broker.contract.common import Count, OneOf, Shown, Time, Usd
from broker.contract.replies import Candidate
from broker.jobs.fields import Task
from broker.routing.circuits import Phase


class Prices(Shown):
    """What a model costs, in dollars."""

    input_usd_per_million: Usd
    """For a million tokens of prompts."""
    output_usd_per_million: Usd
    """For a million tokens of answers."""
    cached_input_usd_per_million: Usd | None
    """Of what the provider's prompt cache had; null for the price of any."""
    cache_write_usd_per_million: Usd | None
    """Of what was put there for some minutes; null for the price of any."""
    cache_write_1h_usd_per_million: Usd | None
    """Of what was put there for an hour; null for the same as for some minutes."""
    units_usd: dict[str, Usd]
    """For each image, page, character, second or request, where those are paid for."""
    as_of: str | None
    """The day of the prices."""


class Circuit(Shown):
    """Whether a model is asked at all: one that fails too often is left alone for a while, then probed by one call."""

    state: Annotated[str, OneOf(get_args(Phase))]
    until: Time | None
    """While open: when it may be probed. While half-open: when a probe that is under way is given up."""


class Live(Shown):
    """How a model fared of late: estimates from a sample of the calls of five minutes, of all tenants together."""

    at: Time
    error_rate: Annotated[float, Field(ge=0, le=1)]
    mean_latency_ms: Count | None
    p95_latency_ms: Count | None


class Model(Shown):
    """One model that the tenant may use."""

    id: str
    object: Literal["model"]
    created: Count
    """Epoch seconds at which it was registered as it is; 0 where that is not known."""
    owned_by: str
    """The provider."""
    tasks: list[Task]
    capabilities: list[str]
    context_window: Annotated[int, Field(ge=1)]
    max_output_tokens: Annotated[int, Field(ge=1)]
    quality: int
    """The operators' judgement; higher is better."""
    regions: list[str]
    """Data regions that it keeps to; empty where that is not known."""
    status: Literal["active", "deprecated", "disabled"]
    sunset: str | None
    """The day from which it is used no more."""
    successor: str | None
    """The model that takes its place from then on."""
    prices: Prices
    circuit: Circuit
    live: Live | None
    """Null where nothing is known of the last quarter of an hour."""


class ModelList(Shown):
    """The models that the tenant may use."""

    object: Literal["list"]
    data: list[Model]


class EstimatedCandidate(Shown):
    """One model that would be tried, in this order."""

    model: str
    input_tokens: Count
    """Of the prompt, estimated."""
    max_output_tokens: Count
    """The longest answer that would be asked for."""
    expected_cost_usd: Usd
    """Of one call with an answer of usual length."""
    worst_cost_usd: Usd
    """Of one call with the longest answer."""
    mean_latency_ms: Count | None
    """Of late; null where that is not known."""


class Estimate(Shown):
    """Who would do a job now, and what it would cost."""

    object: Literal["estimate"]
    task: Task
    candidates: list[EstimatedCandidate]
    """None where all that could do it are left alone for a while; the job would be accepted all the same."""
    worst_cost_usd: Usd
    """What would be held: every candidate paid once, and the dearest twice."""
    route: list[Candidate]
    """Every registered model, and why it would be taken or left out."""
