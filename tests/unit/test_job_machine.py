"""A job's whole life at random: doubled messages, stale runs and heads, crashes, late answers, and the sweep."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from broker.errors import BudgetExceeded, NotFound
from broker.jobs.call_transitions import start_call
from broker.jobs.dispatching import dispatch
from broker.jobs.ending import cancel_job, settle_call, settle_job
from broker.jobs.head import Head, Status
from broker.jobs.reviewing import hold_for_review
from broker.jobs.transitions import Fence, Outcome, wait
from broker.reviews.deciding import Reviewer
from broker.reviews.record import opened
from broker.steps.context import Run, enter
from broker.storage import Put, Update
from broker.tenants.budgets import TRIES, Budgets, Crossed
from broker.tenants.ledger import OPEN, bucket_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from tests.fakes.reviews import decide_of
from tests.fakes.world import HOUR, MINUTE, SECOND, a_head
from tests.unit.job_life import BUCKETS, CRASHES, GROUPS, PLACES, RULE, RULE_PERIOD, STATUSES, Execution, Life, Made


class JobMachine(Life):
    """What happens to jobs, in any order."""

    jobs = Bundle("jobs")
    executions = Bundle("executions")
    calls = Bundle("calls")

    @rule(target=jobs, hold=st.integers(1, 900), crowded=st.sampled_from([False, False, True]))
    def accept(self, hold: int, crowded: bool) -> Any:
        """A job is accepted; where others crowd the budget, it is in slices from then on."""
        if len(self.heads()) == 3:
            return multiple()
        head = a_head(id=f"job_{self.fresh()}", limit=hold, created_at=self.now)
        head = replace(head, deadline_at=self.now + HOUR, due_at=self.now + MINUTE, groups=GROUPS)

        money, rule, place = (bucket_of(scope, period) for scope, period, _ in BUCKETS)
        wanted = {money: hold, rule: hold, place: 1}

        def write(names: Mapping[str, str], writes: Sequence[Put | Update], crossed: Crossed) -> None:
            held = {names[bucket]: amount for bucket, amount in wanted.items()}
            self.world.jobs.create(replace(head, holds=held), *writes, tries=TRIES)

        if crowded:
            self.database.held |= {"BUDGET#acme": TRIES, f"BUDGET#{RULE}": TRIES, f"BUDGET#{PLACES}": TRIES}
        try:
            refusals = dict.fromkeys(wanted, lambda found, amount: BudgetExceeded(found.bucket))
            Budgets(self.database).hold_all(wanted, head.id, write, refusals)
        except BudgetExceeded:
            left = min(self.world.available(), self.left(RULE, RULE_PERIOD)), self.left(PLACES, OPEN)
            assert left[0] < hold or not left[1], "all covered it, and yet it was refused"
            return multiple()
        finally:
            self.database.held.clear()
        return head.id

    @rule(ms=st.sampled_from([SECOND, MINUTE, 2 * MINUTE, 11 * MINUTE]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(
        target=executions,
        job_id=jobs,
        message=st.sampled_from("ab"),
        down=st.booleans(),
        crash=CRASHES,
        first=st.booleans(),
    )
    def message(self, job_id: str, message: str, down: bool, crash: int | None, first: bool) -> Any:
        """A message, which may be the first of its job, and tells the head as it was accepted."""
        self.world.workflows.down = down and crash is None
        accepted = next(Head.from_item(new) for _, new in self.database.stream if new["id"] == job_id)
        head = None
        with self.crashing(crash):
            known = accepted if first else None
            head = dispatch(self.world.jobs, self.world.workflows, job_id, message, self.now, known)
        if head is None:
            return multiple()
        # Express workflows start at least once.
        fences = [Fence(head.run, f"e{self.fresh()}", None, head.claimed_at, message) for _ in range(2)]
        return multiple(*(Execution(job_id, fence, self.world.workflows.told[-1]) for fence in fences))

    @rule(execution=executions, crash=CRASHES)
    def enter(self, execution: Execution, crash: int | None) -> None:
        """A step that does more than one write claims the job with the first."""
        with self.crashing(crash):
            enter(self.world.jobs, Run(execution.job_id, "acme", execution.fence, 0, 0))

    @rule(
        target=calls,
        execution=executions,
        model=st.sampled_from(["small", "large"]),
        reserve=st.integers(0, 400),
        crash=CRASHES,
        canceled=st.booleans(),
        told=st.booleans(),
    )
    def call(
        self, execution: Execution, model: str, reserve: int, crash: int | None, canceled: bool, told: bool
    ) -> Any:
        """A call is put on record: a run's first by the head that went along, whatever became of the job since."""
        keys: list[str] = []
        head: Head | None = None

        def start(current: Head) -> Head:
            after, key = start_call(
                current, execution.fence, model=model, reserve=reserve, now=self.now, lease_ms=2 * MINUTE
            )
            keys[:] = [key]
            return after

        others = [lambda: cancel_job(self.world.jobs, execution.job_id, "acme", self.now)] if canceled else []
        with self.crashing(crash, *others):
            known = execution.told if told else None
            head = self.world.jobs.change(execution.job_id, start, known=known, once=told)
        return Made(head, keys[0], execution.fence) if head else multiple()

    def facts(self, made: Made, percent: int, *, answered: bool) -> dict[str, Any]:
        call = made.head.calls[made.key]
        cost = call["r"] * percent // 100
        if cost > call["r"]:
            self.overran.add(made.head.id)
        facts = {"model": call["m"], "latency_ms": 1, "ended_at": self.now, "cost": cost}
        if answered:
            return facts | {"outcome": "succeeded", "paid": "yes", "input_tokens": 1, "output_tokens": 1}
        return facts | {"outcome": "Unavailable", "paid": "unknown"}

    @rule(made=calls, percent=st.sampled_from([0, 100]), crash=CRASHES, swept=st.booleans())
    def fail(self, made: Made, percent: int, crash: int | None, swept: bool) -> None:
        facts = self.facts(made, percent, answered=False)
        with self.crashing(crash, *([self.sweep_once] if swept else [])):
            settle_call(self.world.jobs, made.head.id, made.key, made.fence, facts, known=made.head)

    @rule(
        made=calls,
        percent=st.sampled_from([0, 50, 100, 250]),
        status=st.sampled_from(STATUSES),
        crash=CRASHES,
        canceled=st.booleans(),
        swept=st.booleans(),
        told=st.booleans(),
    )
    def answer(
        self, made: Made, percent: int, status: Status, crash: int | None, canceled: bool, swept: bool, told: bool
    ) -> None:
        """An answer is kept, and ends the job by the head it came with, or comes too late; its run may die."""
        head = self.world.jobs.get(made.head.id)
        if made.key in head.open_calls:
            self.world.payloads.save(head, f"OUTPUT#{made.key}", {}, self.facts(made, percent, answered=True))
        kept = self.world.payloads.facts(head.id, f"OUTPUT#{made.key}")
        if kept is None:
            return
        others = [lambda: cancel_job(self.world.jobs, head.id, "acme", self.now)] if canceled else []
        with self.crashing(crash, *others, *([self.sweep_once] if swept else [])):
            known = made.head if told else self.world.jobs.get(made.head.id)
            settle_job(self.world.jobs, known, made.fence, Outcome(status), self.now, {made.key: kept})

    @rule(
        execution=executions,
        status=st.sampled_from(STATUSES),
        crash=CRASHES,
        canceled=st.booleans(),
        told=st.booleans(),
    )
    def end(self, execution: Execution, status: Status, crash: int | None, canceled: bool, told: bool) -> None:
        others = [lambda: cancel_job(self.world.jobs, execution.job_id, "acme", self.now)] if canceled else []
        with self.crashing(crash, *others):
            known = execution.told if told else self.world.jobs.get(execution.job_id)
            settle_job(self.world.jobs, known, execution.fence, Outcome(status), self.now)

    @rule(
        execution=executions,
        ms=st.sampled_from([SECOND, MINUTE, 5 * MINUTE, 2 * HOUR]),
        chance=st.sampled_from([0.0, 0.5, 1.0]),
        crash=CRASHES,
        canceled=st.booleans(),
    )
    def turn_away(self, execution: Execution, ms: int, chance: float, crash: int | None, canceled: bool) -> None:
        """Circuits let nothing of the run through; it waits, unless it has asked a model."""

        def put_back(current: Head) -> Head:
            asked = [key for key in current.calls if key.startswith(f"{execution.fence.run}.")]
            after = wait(current, execution.fence, until=self.now + ms, now=self.now, chance=chance)
            assert not asked
            assert (after.limit, after.calls, after.lease_expirations) == (
                current.limit,
                current.calls,
                current.lease_expirations,
            )
            assert after.due_at is not None
            assert after.due_at <= current.deadline_at
            return after

        others = [lambda: cancel_job(self.world.jobs, execution.job_id, "acme", self.now)] if canceled else []
        with self.crashing(crash, *others):
            self.world.jobs.change(execution.job_id, put_back)

    @rule(execution=executions, crash=CRASHES, canceled=st.booleans())
    def hold_before(self, execution: Execution, crash: int | None, canceled: bool) -> None:
        """A request is held for somebody to look at."""
        self.hold(execution.job_id, execution.fence, "input", None, crash, canceled=canceled)

    @rule(made=calls, percent=st.sampled_from([0, 100]), crash=CRASHES, canceled=st.booleans())
    def hold_after(self, made: Made, percent: int, crash: int | None, canceled: bool) -> None:
        """An answer is, which is kept and not settled."""
        head = self.world.jobs.get(made.head.id)
        if made.key not in head.open_calls:
            return
        facts, output = self.facts(made, percent, answered=True), f"OUTPUT#{made.key}"
        self.world.payloads.save(head, output, {}, facts)
        self.hold(head.id, made.fence, "output", {"output": output, "facts": facts}, crash, canceled=canceled)

    def hold(self, job_id: str, fence: Fence, stage: Any, answer: Any, crash: int | None, *, canceled: bool) -> None:
        def put_aside(current: Head) -> Head:
            return hold_for_review(current, fence, stage=stage, rules=["words"], answer=answer, now=self.now)

        others = [lambda: cancel_job(self.world.jobs, job_id, "acme", self.now)] if canceled else []
        with self.crashing(crash, *others):
            held = {"stage": stage, "rules": ["words"], "message": "No."}
            known = self.world.jobs.get(job_id)
            self.world.jobs.change(job_id, put_aside, opened(put_aside(known), held, self.now), known=known)

    @rule(
        job_id=jobs,
        stage=st.sampled_from(["input", "output"]),
        what=st.sampled_from(["release", "reject"]),
        crash=CRASHES,
        swept=st.booleans(),
        down=st.booleans(),
    )
    def decide(self, job_id: str, stage: Any, what: str, crash: int | None, swept: bool, down: bool) -> None:
        """Somebody has looked; what was decided before, or ended, stays so."""
        decide = decide_of(self.world, self.world.queue)
        self.world.queue.down = down
        with self.crashing(crash, *([self.sweep_once] if swept else [])), suppress(NotFound):
            getattr(decide, what)(job_id, stage, Reviewer("arn:ada"), "I looked.", self.now)
        self.world.queue.down = False

    @invariant()
    def reviews_are_open_while_jobs_are_held_and_no_longer(self) -> None:
        for head in self.heads():
            records = self.world.jobs.notes(head.id, "REVIEW#").values()
            held = [record["sk"] for record in records if record["state"] == "held"]
            assert held == ([f"NOTE#REVIEW#{head.run}"] if head.is_held else [])

    @rule(job_id=jobs, crash=CRASHES)
    def cancel(self, job_id: str, crash: int | None) -> None:
        with self.crashing(crash):
            cancel_job(self.world.jobs, job_id, "acme", self.now)

    @rule(job_id=jobs)
    def die(self, job_id: str) -> None:
        self.dead.job_ids.append(job_id)

    @rule(crash=CRASHES, down=st.booleans(), twice=st.booleans())
    def sweep(self, crash: int | None, down: bool, twice: bool) -> None:
        self.world.queue.down = down
        with self.crashing(crash, *([self.sweep_once] if twice else [])):
            self.sweep_once()
        self.world.queue.down = False


JobMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestJobMachine = JobMachine.TestCase
