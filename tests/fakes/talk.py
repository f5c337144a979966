"""A conversation that outgrows its model's window, job by job."""

from dataclasses import dataclass, field
from typing import Any

from broker.jobs.erasing import erase
from broker.jobs.head import Head
from broker.jobs.reading import view
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.steps.context import Run
from broker.token_estimates import estimate_input, family_of

from tests.fakes.provider import FakeProvider
from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, NOW, SECOND, a_model

FILLER = " The keeper wrote down what the lamp had done in the night." * 40
WINDOW, LONGEST = 5_000, 500
"""Tokens of the model that answers, and of its answers."""

SUMMARIZE = {"context": {"strategy": "summarize"}}


class Teller(FakeProvider):
    """Gives each summary a number."""

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """See `Provider.invoke`."""
        if call.model == "cheap-1" and not self.script:
            number = sum(each.model == "cheap-1" for each in self.calls) + 1
            self.script.append(Answer({"text": f"Gist {number}."}, input_tokens=900, output_tokens=9))
        return super().invoke(call)


@dataclass
class Talk:
    """One conversation with a model of a small window, and a cheap one beside it that summarises."""

    stage: Stage = field(default_factory=lambda: Stage(provider=Teller()))
    now: int = NOW
    said: int = 0

    def __post_init__(self) -> None:
        self.stage.world.tenant()
        self.stage.world.register(
            a_model("narrow", context_window=WINDOW, max_output_tokens=LONGEST),
            a_model("cheap", price_in=0, price_out=1, context_window=50_000),
        )

    def begin(self, **body: Any) -> Run:
        """Accept and start the next job, which says its number."""
        self.said += 1
        self.now += SECOND
        asked = {"model": "narrow", "conversation_id": "c-1", "input": {"text": f"Word {self.said}:{FILLER}"}}
        head = self.stage.world.accept({**asked, **SUMMARIZE, **body}, now=self.now).head
        return self.stage.world.start(head.id, f"exec-{self.said}", self.now)

    def end(self, run: Run, model: str = "narrow") -> Head:
        """Let a job be answered and settled."""
        answer = self.stage(model, run, self.now)
        world = self.stage.world
        return settling_of(world)(run, {"answer": answer}, self.now)

    def __call__(self, **body: Any) -> Head:
        return self.end(self.begin(**body), body.get("model", "narrow"))

    def until_too_long(self) -> Run:
        """Go on until a job is begun whose turns no longer fit."""
        while True:
            run = self.begin()
            if estimate_input({"input": self.stage.world.prompt(run.id)}, family_of("narrow-1")) > WINDOW - LONGEST:
                return run
            self.end(run)

    def until_summarised(self) -> Head:
        """Go on until a job has paid for a summary."""
        return self.end(self.until_too_long())

    def erase(self, head: Head) -> None:
        """Erase a job."""
        world = self.stage.world
        erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, head)

    @property
    def paid(self) -> int:
        """Summaries that were asked for."""
        return sum(call.model == "cheap-1" for call in self.stage.provider.calls)

    @property
    def sent(self) -> str:
        """What the last call told its model."""
        return str(self.stage.provider.calls[-1].input)

    @property
    def stands(self) -> bool:
        return self.stage.world.turns.place("acme", "c-1", self.now).summary is not None

    def shown(self, head: Head) -> dict[str, Any]:
        world = self.stage.world
        return view(world.jobs.get(head.id), world.jobs.notes(head.id), None, BASE_URL)
