"""More jobs than an account has functions for, simulated: the workflow's own rules, dispatch, settling and the sweep.

A function is started while fewer run than Lambda lets run at once, or throttled. A state's step is tried again as its
first retrier says, and then goes where it is caught. A lane hands batches to dispatch; what was throttled is there
again when it is visible again, and dead after so many receives.
"""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.consequences import SUCCEEDED
from broker.errors import Conflict
from broker.jobs.call_transitions import start_call
from broker.jobs.dispatching import dispatch
from broker.jobs.head import Head
from broker.jobs.sweeping import Sweep
from broker.steps.context import Run
from broker.steps.repeating import answer_on_record

from tests.contract.workflows import inference, rule_for
from tests.fakes.queue import FakeDeadLetters
from tests.fakes.settling import settling_of
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, World, a_head

STEP_MS = 100
THROTTLED = "Lambda.TooManyRequestsException"
EXPRESS_MS = 5 * MINUTE
"""An Express execution is cut then, in silence."""

BATCH, LANE_MOST = 10, 50
VISIBLE_AGAIN_MS, MOST_RECEIVES = 360 * SECOND, 5
"""As the template has them: `test_the_simulation_has_the_templates_numbers`."""


@dataclass
class Message:
    """One of a lane."""

    job_id: str
    head: Head | None
    receives: int = 0


@dataclass
class Execution:
    """One run of the workflow."""

    run: Run
    until: int
    """When Step Functions cuts it."""
    answer: dict[str, Any] | None = None


@dataclass
class Overload:
    """An account, its jobs and how long their model takes."""

    concurrency: int
    arrivals: list[int]
    """Milliseconds from the start."""
    model_ms: int
    world: World = field(default_factory=World)
    busy: int = 0
    throttles: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    now: int = NOW
    _agenda: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _lane: deque[Message] = field(default_factory=deque)
    _polling: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(5)
        self.states = inference()
        self.dead = FakeDeadLetters()
        self.settling = settling_of(self.world, chance=self.dice.random)
        self.sweeping = Sweep(
            self.world.jobs, self.world.payloads, self.world.queue, self.dead, lambda item, now: False
        )

    def run(self) -> list[Head]:
        """All jobs to their ends, at most two hours."""
        for number, after in enumerate(self.arrivals):
            self.at(NOW + after, partial(self._arrive, f"job_{number}"))
        self.at(NOW + MINUTE, self._sweep)
        while self._agenda and self.now < NOW + 2 * HOUR:
            self.now, _, act = heapq.heappop(self._agenda)
            act()
        return [self.world.jobs.get(f"job_{number}") for number in range(len(self.arrivals))]

    def at(self, when: int, act: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, act))

    def _started(self, name: str, took_ms: int, end: Callable[[], None]) -> bool:
        """Start a function, if Lambda lets it run."""
        if self.busy >= self.concurrency:
            self.throttles[name] += 1
            return False
        self.busy += 1

        def over() -> None:
            self.busy -= 1
            end()

        self.at(self.now + took_ms, over)
        return True

    # ------------------------------------------------------------ the lane

    def _arrive(self, job_id: str) -> None:
        head = a_head(id=job_id, created_at=self.now, deadline_at=self.now + HOUR, due_at=self.now + MINUTE)
        self.world.put(head)
        self._send(Message(job_id, head))

    def _send(self, message: Message) -> None:
        self._lane.append(message)
        self.at(self.now, self._poll)

    def _poll(self) -> None:
        while self._lane and self._polling < LANE_MOST:
            batch = [self._lane.popleft() for _ in range(min(BATCH, len(self._lane)))]
            self._polling += 1
            for message in batch:
                message.receives += 1
            if not self._started("dispatch", STEP_MS, partial(self._dispatched, batch)):
                self._polling -= 1
                for message in batch:
                    self.at(self.now + VISIBLE_AGAIN_MS, partial(self._again, message))

    def _again(self, message: Message) -> None:
        if message.receives < MOST_RECEIVES:
            self._send(message)
        else:
            self.dead.job_ids.append(message.job_id)

    def _dispatched(self, batch: list[Message]) -> None:
        self._polling -= 1
        for message in batch:
            known = message.head if message.receives == 1 else None
            told = len(self.world.workflows.told)
            head = dispatch(self.world.jobs, self.world.workflows, message.job_id, f"m-{self._count}", self.now, known)
            if head is not None:
                assert len(self.world.workflows.told) == told + 1
                self._execute(head)
        self.at(self.now, self._poll)

    def _sweep(self) -> None:
        if not self._started("sweep", STEP_MS, self._swept):
            self.at(self.now + 10 * SECOND, self._sweep)  # EventBridge tries again
            return
        self.at(self.now + MINUTE, self._sweep)

    def _swept(self) -> None:
        assert not self.sweeping(self.now).errors
        for head in self.world.queue.sent:
            self._send(Message(head.id, None))
        self.world.queue.sent.clear()

    # ------------------------------------------------------------ the workflow

    def _execute(self, head: Head) -> None:
        self.starts += 1
        facts = {"job_id": head.id, "tenant": head.tenant, "run": head.run, "execution": f"x:{self.starts}"}
        times = {"until": head.deadline_at, "expires_at": head.expires_at, "claimed_at": head.claimed_at}
        run = Run.of({**facts, **times, "claimed_by": head.claimed_by})
        self._enter(Execution(run, self.now + EXPRESS_MS), "Check Input")

    def _enter(self, execution: Execution, name: str, ending: dict[str, Any] | None = None, tries: int = 0) -> None:
        if self.now >= execution.until:
            return
        keys: list[str] = []
        took = self.model_ms if name == "Invoke Model" else STEP_MS
        if self._started(name, took, partial(self._left, execution, name, ending, keys)):
            if name == "Invoke Model":
                self._ask(execution, keys)
            return
        rule = self.states[name]["Retry"][0]
        assert THROTTLED in rule["ErrorEquals"]
        if tries < rule["MaxAttempts"]:
            most = min(rule["IntervalSeconds"] * rule["BackoffRate"] ** tries, rule["MaxDelaySeconds"])
            pause = round(self.dice.random() * most * SECOND)
            self.at(self.now + pause, partial(self._enter, execution, name, ending, tries + 1))
        elif caught := rule_for(self.states[name], "Catch", THROTTLED):
            answer = {"answer": execution.answer} if execution.answer else {}
            self._enter(execution, caught["Next"], {**answer, "failure": {"Error": THROTTLED, "Cause": ""}})

    def _ask(self, execution: Execution, keys: list[str]) -> None:
        run = execution.run

        def start(head: Head) -> Head:
            after, key = start_call(
                head, run.fence, model="small", reserve=1, now=self.now, lease_ms=self.model_ms + MINUTE
            )
            keys.append(key)
            return after

        with suppress(Conflict):  # another run owns the job
            self.world.jobs.change(run.id, start)

    def _left(self, execution: Execution, name: str, ending: dict[str, Any] | None, keys: list[str]) -> None:
        """A step's function has ended."""
        run = execution.run
        match name:
            case "Check Input":
                self._enter(execution, "Select Model")
            case "Select Model":
                head = self.world.jobs.get(run.id)
                if answer := answer_on_record(self.world.payloads, head):
                    execution.answer = {name: answer[name] for name in ("output", "facts")}
                self._enter(execution, "Moderate Output" if answer else "Invoke Model")
            case "Invoke Model" if keys:
                facts = {"model": "small", "outcome": SUCCEEDED, "paid": "yes", "cost": 1, "ended_at": self.now}
                execution.answer = {"output": f"OUTPUT#{keys[-1]}", "facts": facts}
                self.world.payloads.save(run, f"OUTPUT#{keys[-1]}", {"text": "Fine."}, facts)
                self._enter(execution, "Moderate Output")
            case "Moderate Output":
                self._enter(execution, "Settle Job", {"answer": execution.answer})
            case "Settle Job":
                with suppress(Conflict):
                    self.settling(run, ending or {}, self.now)
