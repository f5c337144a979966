"""A model as it is shown to those who may use it."""

from typing import Any

from broker.clock import iso, usd
from broker.routing.circuits import State
from broker.routing.figures import Figures
from broker.routing.model import Model

MILLION = 1_000_000


def shown(model: Model, state: State, figures: Figures | None) -> dict[str, Any]:
    """The public form (`contract.models.Model`): never an endpoint, a key's name or a provider's options."""
    return {
        "id": model.id,
        "object": "model",
        "created": model.registered_at // 1000,
        "owned_by": model.provider,
        "tasks": sorted(model.tasks),
        "capabilities": sorted(model.capabilities),
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "quality": model.quality,
        "regions": sorted(model.regions),
        "status": model.status,
        "sunset": model.sunset,
        "successor": model.successor,
        "prices": {
            "input_usd_per_million": usd(model.price_in * MILLION),
            "output_usd_per_million": usd(model.price_out * MILLION),
            "cached_input_usd_per_million": _per_million(model.price_cached_in),
            "cache_write_usd_per_million": _per_million(model.price_cache_write),
            "cache_write_1h_usd_per_million": _per_million(model.price_cache_write_1h),
            "units_usd": {name: usd(price) for name, price in sorted(model.unit_prices.items())},
            "as_of": model.prices_as_of,
        },
        "circuit": {"state": state.phase, "until": iso(state.until)},
        "live": _live(figures) if figures else None,
    }


def _per_million(price: int | None) -> float | None:
    return None if price is None else usd(price * MILLION)


def _live(figures: Figures) -> dict[str, Any]:
    """Without the number of calls: it tells one tenant how much the others do."""
    return {
        "at": iso(figures.at),
        "error_rate": round(figures.error_rate, 4),
        "mean_latency_ms": figures.mean_ms,
        "p95_latency_ms": figures.p95_ms,
    }
