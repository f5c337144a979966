"""The registry of models: read from its table, kept in memory for half a minute."""

from dataclasses import dataclass
from typing import Any, Self

from broker.errors import InvalidRequest
from broker.storage import Database, Item

KEEP_MS = 30_000
"""How long a change to the registry may take to show."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the operators registered it (table `registry`, pk `MODELS`, sk the id)."""

    id: str
    provider: str
    name: str
    """The provider's own name of the model."""
    tasks: frozenset[str]
    context_window: int
    """Tokens, prompt and answer together."""
    max_output_tokens: int
    price_in: int
    """Nano-dollars for each token of the prompt (150 is 0.15 $ a million)."""
    price_out: int
    capabilities: frozenset[str] = frozenset()
    rank: int = 100
    """Order of preference where the request leaves the choice open; lower comes first."""
    enabled: bool = True
    endpoint: str | None = None
    secret: str | None = None
    """Name of the provider's key in Secrets Manager, below the stack's prefix."""
    timeout_s: int = 60

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        known: dict[str, Any] = {name: item[name] for name in cls.__dataclass_fields__ if name in item}
        known |= {name: frozenset(known.get(name, ())) for name in ("tasks", "capabilities")}
        return cls(**known, id=item["sk"]) if "id" not in known else cls(**known)

    def worst_case(self, input_tokens: int, max_output_tokens: int | None) -> int:
        """Nano-dollars that one call can cost at most, for so many tokens in and so many asked for."""
        out = min(max_output_tokens or self.max_output_tokens, self.max_output_tokens)
        return self.cost(input_tokens, out)

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars of a call."""
        return input_tokens * self.price_in + output_tokens * self.price_out


class Models:
    """All models of the deployment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at = -KEEP_MS
        self._models: dict[str, Model] = {}

    def all(self, now: int) -> dict[str, Model]:
        """By id; at most half a minute old."""
        if now - self._read_at >= KEEP_MS:
            self._models = {item["sk"]: Model.from_item(item) for item in self._database.query("registry", "MODELS")}
            self._read_at = now
        return self._models

    def get(self, model_id: str, now: int) -> Model:
        """One model, enabled or not.

        Raises:
            InvalidRequest: it is not registered.
        """
        found = self.all(now).get(model_id)
        if found is None:
            raise InvalidRequest(f"There is no model {model_id!r}.", code="unknown_model", param="model")
        return found
