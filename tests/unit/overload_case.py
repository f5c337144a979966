"""More jobs than an account has functions for, simulated: the workflow's own rules, dispatch, settling and the sweep.

A function is started while fewer run than Lambda lets run at once, or throttled. A state's step is tried again as its
first retrier says, and then goes where it is caught. A lane hands batches to dispatch, in the order in which they came:
nothing here is as kind as a fair queue. A batch that is throttled is tried again until its messages are visible again;
they are dead after so many receives. As many processes of dispatch as read the lanes work side by side, a message after
the other, and each knows of the others what they told.
"""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from broker.cloud.capacity import JOBS_PART
from broker.consequences import SUCCEEDED
from broker.errors import Conflict
from broker.jobs.call_transitions import start_call
from broker.jobs.head import Head
from broker.jobs.in_flight import InFlight
from broker.jobs.leaving import Left, leave
from broker.jobs.pacing import Pace
from broker.jobs.starting import start
from broker.jobs.sweeping import Sweep
from broker.steps.context import Run
from broker.steps.repeating import answer_on_record
from broker.storage import Database

from tests.contract.workflows import inference, rule_for
from tests.fakes.metering import MeteredDatabase, QuickDatabase
from tests.fakes.queue import FakeDeadLetters
from tests.fakes.settling import settling_of
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, World, a_head

STEP_MS = 100
THROTTLED = "Lambda.TooManyRequestsException"
EXPRESS_MS = 5 * MINUTE
"""An Express execution is cut then, in silence."""

BATCH, READERS = 10, {"interactive": 5, "bulk": 3}
VISIBLE_AGAIN_MS, MOST_RECEIVES = 360 * SECOND, 5
"""As the template has them: `test_the_simulation_has_the_templates_numbers`."""

FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 100, 5_000
"""Of a batch that is throttled, as the embedded cloud has them; AWS does not say."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job that comes."""

    at: int
    """Milliseconds from the start."""
    model_ms: int
    tenant: str = "acme"
    lane: str = "interactive"
    model: str = "small"


@dataclass
class Message:
    """One of a lane."""

    body: dict[str, Any]
    receives: int = 0


@dataclass
class Lane:
    """A queue of jobs, and how many read it at the moment."""

    messages: deque[Message] = field(default_factory=deque)
    reading: int = 0


@dataclass
class Execution:
    """One run of the workflow."""

    run: Run
    until: int
    """When Step Functions cuts it."""
    answer: dict[str, Any] | None = None


@dataclass
class Overload:
    """An account and the jobs that come to it."""

    concurrency: int
    arrivals: Sequence[Arrival]
    bounded: bool = True
    """False to see what becomes of them where dispatch starts all that comes."""
    readers: dict[str, int] = field(default_factory=lambda: dict(READERS))
    seed: int = 5
    tables: QuickDatabase = field(default_factory=QuickDatabase)
    busy: int = 0
    most_busy: int = 0
    throttles: Counter[str] = field(default_factory=Counter)
    invocations: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    sent_again: int = 0
    """Requests to SQS that left jobs in their lanes."""
    asked_at: dict[str, int] = field(default_factory=dict)
    """When a job's model was first asked."""
    dead_letters: int = 0
    now: int = NOW
    _agenda: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _idle: list[InFlight] = field(default_factory=list)
    """Processes of dispatch that wait for work; the last one gets it."""

    def __post_init__(self) -> None:
        self.world = World(self.tables)
        self.metered = MeteredDatabase(self.tables)
        self.lanes = {name: Lane() for name in READERS}
        self.jobs = {f"job_{number}": arrival for number, arrival in enumerate(self.arrivals)}
        self.dice = random.Random(self.seed)
        self.states = inference()
        self.dead = FakeDeadLetters()
        self.settling = settling_of(self.world, chance=self.dice.random)
        self.sweeping = Sweep(
            self.world.jobs, self.world.payloads, self.world.queue, self.dead, lambda item, now: False
        )

    def run(self, until_ms: int = 2 * HOUR) -> list[Head]:
        """All jobs to their ends, or until then."""
        for job_id, arrival in self.jobs.items():
            self.at(NOW + arrival.at, partial(self._arrive, job_id, arrival))
        self.at(NOW + MINUTE, self._sweep)
        last = NOW + max(arrival.at for arrival in self.arrivals)
        while self._agenda and self.now < NOW + until_ms and not (self.now > last and self._is_over()):
            self.now, _, act = heapq.heappop(self._agenda)
            act()
        return [self.world.jobs.get(job_id) for job_id in self.jobs]

    def waits_ms(self, tenant: str) -> list[int]:
        """From the arrival of each of a tenant's jobs to the first question to its model, in order."""
        ours = ((job_id, arrival) for job_id, arrival in self.jobs.items() if arrival.tenant == tenant)
        return sorted(self.asked_at[job_id] - NOW - arrival.at for job_id, arrival in ours if job_id in self.asked_at)

    def at(self, when: int, act: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, act))

    def _is_over(self) -> bool:
        """True where nothing is left to do but to sweep."""
        return all(act == self._sweep for _, _, act in self._agenda) and not self.tables.due

    def _started(self, name: str, took_ms: int, end: Callable[[], None]) -> bool:
        """Start a function, if Lambda lets it run."""
        if self.busy >= self.concurrency:
            self.throttles[name] += 1
            return False
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        self.invocations[name] += 1

        def over() -> None:
            self.busy -= 1
            end()

        self.at(self.now + took_ms, over)
        return True

    # ------------------------------------------------------------ the lanes

    def _arrive(self, job_id: str, arrival: Arrival) -> None:
        times = {"created_at": self.now, "deadline_at": self.now + HOUR, "due_at": self.now + MINUTE}
        head = a_head(id=job_id, tenant=arrival.tenant, lane=arrival.lane, **times)
        self.world.put(head)
        self._send(head)

    def _send(self, head: Head) -> None:
        self._put(head.lane, Message({"job_id": head.id, "head": head.to_item()}))

    def _put(self, lane: str, message: Message) -> None:
        self.lanes[lane].messages.append(message)
        self.at(self.now, partial(self._poll, lane))

    def send_later(self, lane: str, messages: Sequence[tuple[dict[str, Any], str, int]]) -> list[int]:
        """See `Lanes.send_later`."""
        self.sent_again += 1
        for body, _, delay_s in messages:
            self.at(self.now + delay_s * SECOND, partial(self._put, lane, Message(body)))
        return []

    def _poll(self, name: str) -> None:
        lane = self.lanes[name]
        while lane.messages and lane.reading < self.readers[name]:
            batch = [lane.messages.popleft() for _ in range(min(BATCH, len(lane.messages)))]
            lane.reading += 1
            for message in batch:
                message.receives += 1
            self._read(name, batch, self.now + VISIBLE_AGAIN_MS, FIRST_PAUSE_MS)

    def _read(self, name: str, batch: list[Message], until: int, pause_ms: int) -> None:
        """Have a batch dispatched, again while that is throttled and nobody else may see its messages."""
        process = self._idle.pop() if self._idle else self._new_process()
        left: list[Left] = []
        if self._started("dispatch", STEP_MS, partial(self._dispatched, name, left, process)):
            for place, message in enumerate(batch):
                took = STEP_MS * (place + 1) // (len(batch) + 1)
                self.at(self.now + took, partial(self._dispatch, left, message, process))
            return
        self._idle.append(process)
        if self.now + pause_ms <= until:
            again = partial(self._read, name, batch, until, min(2 * pause_ms, LONGEST_PAUSE_MS))
            self.at(self.now + pause_ms, again)
            return
        self.lanes[name].reading -= 1
        for message in batch:
            self.at(until, partial(self._again, name, message))

    def _again(self, lane: str, message: Message) -> None:
        if message.receives < MOST_RECEIVES:
            self._put(lane, message)
        else:
            self.dead_letters += 1
            self.dead.job_ids.append(message.body["job_id"])

    def _dispatch(self, left: list[Left], message: Message, process: InFlight) -> None:
        self._count += 1
        use = self.world.jobs, self.world.workflows, process
        head = start(*use, message.body, f"m-{self._count}", message.receives, self.now)
        if isinstance(head, Left):
            left.append(head)
        elif head is not None:
            self._execute(head)

    def _dispatched(self, lane: str, left: Sequence[Left], process: InFlight) -> None:
        self.lanes[lane].reading -= 1
        process.batch_is_over(self.now)
        assert not leave(self, left, self.now, self.dice.random())
        self._idle.append(process)
        self.at(self.now, partial(self._poll, lane))

    def _new_process(self) -> InFlight:
        limit = int(self.concurrency * JOBS_PART) if self.bounded else 1_000_000
        self._count += 1
        pace = Pace(chance=self.dice.random, readers=READERS["bulk"])
        use = cast(Database, self.metered), f"p-{self._count}", None, lambda: limit, _never
        return InFlight(*use, self.dice.random, pace)

    def _sweep(self) -> None:
        if not self._started("sweep", STEP_MS, self._swept):
            self.at(self.now + 10 * SECOND, self._sweep)  # EventBridge tries again
            return
        self.at(self.now + MINUTE, self._sweep)

    def _swept(self) -> None:
        assert not self.sweeping(self.now).errors
        for head in self.world.queue.sent:
            self._send(head)
        self.world.queue.sent.clear()

    # ------------------------------------------------------------ the workflow

    def _execute(self, head: Head) -> None:
        self.starts += 1
        facts = {"job_id": head.id, "tenant": head.tenant, "run": head.run, "execution": f"x:{self.starts}"}
        times = {"until": head.deadline_at, "expires_at": head.expires_at, "claimed_at": head.claimed_at}
        run = Run.of({**facts, **times, "claimed_by": head.claimed_by})
        execution = Execution(run, self.now + EXPRESS_MS)
        self.at(self.now + STEP_MS, partial(self._enter, execution, "Check Input"))

    def _enter(self, execution: Execution, name: str, ending: dict[str, Any] | None = None, tries: int = 0) -> None:
        if self.now >= execution.until:
            return
        keys: list[str] = []
        asks = name == "Invoke Model" and not self.world.jobs.get(execution.run.id).status.terminal
        took = self.jobs[execution.run.id].model_ms if asks else STEP_MS
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
        lease_ms = self.jobs[run.id].model_ms + MINUTE

        def begin(head: Head) -> Head:
            model = self.jobs[run.id].model
            after, key = start_call(head, run.fence, model=model, reserve=1, now=self.now, lease_ms=lease_ms)
            keys.append(key)
            return after

        with suppress(Conflict):  # another run owns the job
            self.world.jobs.change(run.id, begin)
            self.asked_at.setdefault(run.id, self.now)

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


def _never(error: Exception) -> None:
    raise error
