"""What is measured of a job's end, and told of what happens to it."""

import json
from typing import Any

import jsonschema
import pytest
from broker.errors import Unavailable
from broker.jobs.head import Status
from broker.jobs.sweeping import Swept
from broker.metrics import (
    circuit_changed,
    credential_rejected,
    is_failure,
    job_ended,
    provider_called,
    sweep_ended,
)
from broker.observability import metric

from tests.contract.ringing import ALARM, OK, alarms, states
from tests.fakes.world import NOW, a_head


def of(kind: str, most: int = 1_000_000, **more: Any) -> dict[str, Any]:
    lengths = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}[kind]
    return {"type": kind, **dict(zip(lengths, (1, most), strict=True)), **more}


def an(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


EMF = an(
    _aws=an(
        Timestamp={"type": "integer"},
        CloudWatchMetrics=of(
            "array",
            items=an(
                Namespace=of("string", 1024),
                Dimensions=of("array", items=of("array", 30, items=of("string", 250))),
                Metrics=of("array", 100, items=an(Name=of("string", 1024))),
            ),
        ),
    )
)
"""CloudWatch User Guide, "Specification: Embedded metric format": the schema there, as far as we use it."""


def test_all_lines_are_emf_and_have_what_their_directives_name(capsys: pytest.CaptureFixture[str]) -> None:
    job_ended(a_head(status=Status.SUCCEEDED, started_at=NOW + 1, ended_at=NOW + 9, prompt={"id": "p", "version": 1}))
    provider_called(a_head(), {**CALLED, "outcome": "ModelGone"})
    credential_rejected()
    metric({"lane": "bulk"}, {"message": "no room; left in the lane", "jobs": 7}, OldestWaitMs=90_000)
    lines = [line for line in written(capsys) if "_aws" in line]
    assert len(lines) == 4  # a model that is gone rings an alarm
    assert (lines[-1]["lane"], lines[-1]["jobs"], lines[-1]["OldestWaitMs"]) == ("bulk", 7, 90_000)
    for line in lines:
        jsonschema.validate(line, EMF)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                assert all(isinstance(line[name], str) and 0 < len(line[name]) <= 1024 for name in names)
            assert all(type(line[each["Name"]]) in (int, float) for each in directive["Metrics"])


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def dimensions(line: dict[str, Any]) -> set[str]:
    return {name for names in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for name in names}


def test_a_prompts_version_is_told_and_is_no_dimension(capsys: pytest.CaptureFixture[str]) -> None:
    for version in (3, 4):
        prompt = {"id": "reply", "version": version, "label": "production"}
        job_ended(a_head(status=Status.SUCCEEDED, ended_at=NOW + 9, prompt=prompt))
    lines = written(capsys)
    assert [line["prompt"] for line in lines] == ["reply@3", "reply@4"]
    assert [(line["outcome"], line["lane"]) for line in lines] == [("succeeded", "interactive")] * 2
    assert [dimensions(line) for line in lines] == [{"stack"}] * 2, "each value would be paid for"


def test_a_jobs_time_is_told_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    calls = {"1.1": {"m": "a", "r": 1, "l": 30}, "1.2": {"m": "b", "r": 1, "l": 40}, "1.3": {"m": "b", "r": 1}}
    job_ended(a_head(status=Status.FAILED, started_at=NOW + 5, ended_at=NOW + 100, calls=calls))
    (job,) = written(capsys)
    names = ("JobQueuedMs", "JobModelMs", "JobOwnMs", "JobEndToEndMs")
    assert [job[name] for name in names] == [5, 70, 25, 100]
    job_ended(a_head(status=Status.CANCELED, ended_at=NOW + 9))
    (job,) = written(capsys)
    assert (job["JobQueuedMs"], "JobModelMs" in job) == (9, False)


def test_what_circuits_kept_waiting_was_in_its_queue(capsys: pytest.CaptureFixture[str]) -> None:
    waited = {"started_at": NOW + 5, "claimed_at": NOW + 80, "ended_at": NOW + 100, "waits": {"since": NOW, "times": 1}}
    job_ended(a_head(status=Status.SUCCEEDED, claimed_by="m2", **waited))
    job_ended(a_head(status=Status.EXPIRED, **waited))
    ran, never = written(capsys)
    assert (ran["JobQueuedMs"], ran["JobOwnMs"]) == (80, 20)
    assert (never["JobQueuedMs"], never["JobOwnMs"]) == (100, 0)


def test_a_models_time_is_none_of_its_queues_however_often_the_job_was_put_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = {"1.1": {"m": "a", "r": 1, "l": 30}, "2.2": {"m": "b", "r": 1, "l": 15}}
    waited = {"run": 2, "started_at": NOW + 5, "claimed_at": NOW + 80, "waits": {"since": NOW, "times": 1}}
    job_ended(a_head(status=Status.SUCCEEDED, claimed_by="m2", ended_at=NOW + 100, calls=calls, **waited))
    job_ended(a_head(status=Status.EXPIRED, ended_at=NOW + 200, calls=calls, **waited))
    ran, waits_still = written(capsys)
    names = ("JobQueuedMs", "JobModelMs", "JobOwnMs", "JobEndToEndMs")
    assert [ran[name] for name in names] == [50, 45, 5, 100]
    assert [waits_still[name] for name in names] == [155, 45, 0, 200]


def test_how_long_somebody_looked_is_no_time_of_the_brokers_own(capsys: pytest.CaptureFixture[str]) -> None:
    review = {"state": "released", "stage": "input", "rules": ["words"], "since": NOW + 6, "at": NOW + 90}
    job_ended(a_head(status=Status.SUCCEEDED, started_at=NOW + 5, ended_at=NOW + 100, review=review))
    (job,) = written(capsys)
    assert (job["JobQueuedMs"], job["JobEndToEndMs"], "JobOwnMs" in job) == (5, 100, False)


def test_a_job_without_a_prompt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    job_ended(a_head(status=Status.FAILED, ended_at=NOW + 9))
    assert len(written(capsys)) == 1


CALLED = {"model": "m", "latency_ms": 5, "paid": "no", "cost": 0}


HOUR, MINUTE = 3_600_000, 60_000


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("unavailable", True),
        ("throttled", True),
        ("credential_rejected", True),
        ("model_gone", True),
        ("policy_missing", True),
        ("adapter_failed", True),
        ("internal_error", True),
        ("nobody_knows_this", True),
        ("invalid_request", False),
        ("budget_exceeded", False),
        ("rejected", False),
        ("context_exceeded", False),
        ("truncated", False),
        ("timed_out", False),
        ("refused", False),
        ("bad_output", False),
    ],
)
def test_a_failure_is_one_that_no_caller_can_make(capsys: pytest.CaptureFixture[str], kind: str, failure: bool) -> None:
    error = {"type": kind, "code": "c", "message": "A word of the prompt."}
    job_ended(a_head(status=Status.FAILED, ended_at=NOW + 9, error=error))
    (line,) = written(capsys)
    assert (line["JobsFailed"], line["error"]) == (int(failure), "c")
    assert "word of the prompt" not in str(line)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.BLOCKED, Status.CANCELED])
def test_how_else_a_job_ends_is_no_failure(status: Status) -> None:
    assert not is_failure(a_head(status=status, ended_at=NOW + 9))


@pytest.mark.parametrize(
    ("changes", "failure"),
    [({}, True), ({"deadline_at": NOW + MINUTE - 1}, False), ({"review": {"state": "held", "stage": "input"}}, False)],
)
def test_a_job_that_expires_is_a_failure_where_it_had_the_time(changes: dict[str, Any], failure: bool) -> None:
    assert is_failure(a_head(status=Status.EXPIRED, ended_at=NOW + HOUR, **changes)) is failure


def test_only_what_there_is_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    calls = {"1.1": {"m": "a", "r": 1}, "1.2": {"m": "m", "r": 1}}
    provider_called(a_head(), {**CALLED, "outcome": "Unavailable"})
    provider_called(
        a_head(calls=calls), {**CALLED, "outcome": "succeeded", "input_tokens": 3, "output_tokens": 0, "cost": 4}
    )
    failed, answered = written(capsys)
    names = ("input_tokens", "output_tokens", "cost_nano_usd", "call")
    assert [failed.get(name) for name in names] == [None] * 4
    assert [answered.get(name) for name in names] == [3, None, 4, 2]
    assert "_aws" not in failed and "_aws" not in answered, "each model would be paid for"


MENDED = {
    "CredentialRejected": "CredentialsRejected",
    "ModelGone": "ModelsToMend",
    "AdapterFailed": "ModelsToMend",
    "": "ModelsToMend",
}


@pytest.mark.parametrize(("outcome", "metric"), MENDED.items())
def test_what_somebody_has_to_mend_rings_its_alarm(
    capsys: pytest.CaptureFixture[str], outcome: str, metric: str
) -> None:
    provider_called(a_head(), {**CALLED, "outcome": outcome})
    alarm, line = written(capsys)
    assert alarm[metric] == 1 and "_aws" not in line
    assert not alarm.keys() & (set(MENDED.values()) - {metric}), "the wrong thing would be said"


@pytest.mark.parametrize("outcome", ["succeeded", "Rejected", "Refused", "Throttled", "Unavailable", "CutShort"])
def test_what_is_nobodys_fault_here_rings_none(capsys: pytest.CaptureFixture[str], outcome: str) -> None:
    provider_called(a_head(), {**CALLED, "outcome": outcome})
    assert ["_aws" in line for line in written(capsys)] == [False]


def test_a_circuit_of_one_tenants_own_is_no_change_of_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    circuit_changed("m", "opened")
    circuit_changed("m#acme", "opened")
    (shared,) = [line for line in written(capsys) if line["message"] == "circuit changed"]
    assert (shared["model"], shared["change"]) == ("m", "opened")


def test_how_far_the_sweep_is_behind_is_told_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    sweep_ended(Swept(requeued=3), NOW)
    (well,) = written(capsys)
    assert (well["behind_s"], well["requeued"], "_aws" in well) == (0, 3, False), "an idle stack pays for no metric"
    counts = sweep_ended(Swept(errors=["KeyError", "KeyError"], oldest_due_at=NOW - 90_500, dead_letters=2), NOW)
    dead, behind, line = written(capsys)
    assert (dead["DeadLetters"], behind["SweepBehindSeconds"]) == (2, 90)
    assert (line["behind_s"], line["error_names"]) == (90, ["KeyError"])
    assert counts == {**{name: 0 for name in counts}, "errors": 2, "dead_letters": 2}


@pytest.mark.parametrize(("late_s", "state"), [(300, OK), (301, ALARM)])
def test_a_sweep_that_stays_behind_rings(capsys: pytest.CaptureFixture[str], late_s: int, state: str) -> None:
    for _ in range(5):
        sweep_ended(Swept(oldest_due_at=NOW - late_s * 1000), NOW)
    told = [[line["SweepBehindSeconds"]] for line in written(capsys) if "SweepBehindSeconds" in line]
    assert states(alarms()["SweepBehindAlarm"], told)[-1] == state


def test_a_sweep_that_could_not_read_what_is_due_says_what_it_did_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable) as caught:
        sweep_ended(Swept(requeued=3, unread=2, errors=["ClientError"] * 2), NOW)
    assert caught.value.code == "not_swept"
    (line,) = written(capsys)
    assert (line["requeued"], line["unread"], line["error_names"]) == (3, 2, ["ClientError"])
    alarm = alarms()["SweepAlarm"]
    assert (alarm["MetricName"], states(alarm, [[1]] * 5)[-1]) == ("Errors", ALARM), "Lambda counts what fails"
