"""What is asked of the selection: a request, and all that is known when it is made."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.permissions.rules import Permission
from broker.permissions.who import Who
from broker.prompt_marks import longest_asked
from broker.routing.circuits import CLOSED, State
from broker.routing.figures import Figures
from broker.routing.model import Model
from broker.routing.residency import Residency
from broker.routing.units import most_units, pictures

USUAL_OUTPUT = 400
"""Tokens that an answer is expected to have where nothing says otherwise: some three hundred words."""

PICTURES = frozenset({"image", "image_url", "input_image"})
"""Parts of a message that need eyes."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request at one moment. Where nothing is known of circuits, figures, time or hold, they exclude nothing."""

    request: Mapping[str, Any]
    """As stored."""
    tokens: Callable[[Model], int]
    """Estimates the prompt, as a model would count it."""
    now: int
    """Milliseconds since the epoch."""
    allowed: Collection[str] | None = None
    """The models that the tenant may use; None for all."""
    tenant: str = ""
    who: Who | None = None
    """Who asks, where permissions are to hold."""
    barring: tuple[Permission, ...] = ()
    """Those that keep them from some model, or from all; the selection finds them."""
    job_id: str = ""
    """What an experiment is split by, where the request has no routing key; empty before there is a job."""
    states: Mapping[str, State] = field(default_factory=dict)
    """Circuits that are not closed."""
    figures: Mapping[str, Figures] = field(default_factory=dict)
    left_ms: int | None = None
    """What is left of the job's time budget, and of the time until its deadline."""
    held: int | None = None
    """Nano-dollars that are held for the job's further calls."""
    policies: tuple[str, ...] = ()
    """The guardrail policies of the prompt that it was filled from."""
    redacts: bool = False
    """True where rules take personal data out of all that models get; where that is not known, it is unredacted."""
    residency: tuple[Residency, ...] = ()
    """What routes demand of the models; the selection finds it."""

    @property
    def task(self) -> str:
        """What is to be done."""
        return str(self.request["task"])

    @property
    def routing(self) -> Mapping[str, Any]:
        """The request's wishes."""
        found: Mapping[str, Any] = self.request.get("routing", {})
        return found

    @property
    def texts(self) -> list[str]:
        """The texts of a request that has several, each of which is asked about by itself."""
        given = self.request.get("input", {}).get("text")
        return given if isinstance(given, list) else []

    @property
    def split_key(self) -> str:
        """Requests with the same key go the same way in an experiment; empty where there is none to go by yet."""
        key = self.request.get("metadata", {}).get("routing_key")
        return self.job_id if key is None else f"{self.tenant}/{key}"

    @property
    def needs(self) -> frozenset[str]:
        """Capabilities that a model cannot do without: what the request says, and what it implies."""
        given = self.request.get("input", {})
        seen = any(map(_has_picture, given.get("messages", ()))) or (self.task == "moderate" and "file" in given)
        thinks = self.request.get("parameters", {}).get("reasoning") or {}
        implied = {
            "tools": bool(given.get("tools")),
            "vision": seen,
            "reasoning": thinks.get("effort") != "none" and any(thinks.values()),
        }
        return frozenset(self.routing.get("require", ())) | {name for name, needed in implied.items() if needed}

    @property
    def stays_with(self) -> str | None:
        """The model that answered the turn before: its provider may have kept what was said."""
        model = self.request.get("history", {}).get("model")
        return None if model is None else str(model)

    def state(self, model: Model) -> State:
        """The model's circuit."""
        return self.states.get(model.id, CLOSED)

    def most_output(self, model: Model) -> int:
        """Tokens that an answer can have."""
        asked = self.request.get("parameters", {}).get("max_output_tokens", model.max_output_tokens)
        return int(min(asked, model.max_output_tokens))

    def most_tokens(self, models: Sequence[Model]) -> int:
        """Tokens that one call of one of them can have, in and out; vectors are none."""
        out = self.task != "embed"
        most = max((self.tokens(model) + out * self.most_output(model) for model in models), default=0)
        return most * pictures(self.request)

    def worst(self, model: Model) -> int:
        """Nano-dollars that one call can cost."""
        each = pictures(self.request)
        tokens, out = self.tokens(model) * each, self.most_output(model) * each
        cached = model.dearest_input(tokens, longest_asked(self.request))
        return model.cost(tokens, out, most_units(self.request), cached)

    def expected(self, model: Model) -> int:
        """Nano-dollars that one call is expected to cost; a document's or sound's length is only known at its most."""
        if self.task == "generate_image":
            return self.worst(model)  # a picture has no usual length
        output = min(self.most_output(model), USUAL_OUTPUT)
        return model.cost(self.tokens(model), output, most_units(self.request))


def _has_picture(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") in PICTURES for part in content)
