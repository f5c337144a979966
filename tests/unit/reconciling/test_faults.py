"""A synthetic invoice with 1,000 faults: all are found, and none is invented."""

import random
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
from broker.cli.reconciling.comparing import TOLERANCE, compare_calls
from broker.cli.reconciling.records import Called, Charged
from broker.cli.reconciling.sums import compare_sums

from tests.unit.reconciling.invoices import BEGIN, HOUR_MS, HOURS, calls, charge, more, sums

SEEDS = range(3)

FAULTS = {
    "missing": 200,
    "doubled": 200,
    "priced_differently": 200,
    "counted_differently": 150,
    "orphaned": 150,
    "unknown, charged": 50,
    "unknown, not charged": 50,
}


def _seeded(chance: random.Random) -> tuple[list[Called], list[Charged], dict[str, str]]:
    """Calls, charges, and the faults between them by the id of the request."""
    ours = calls(6_000, chance)
    chosen = iter(chance.sample(range(len(ours)), 1_000))
    charged: dict[str, list[Charged]] = {each.request_id or "": [charge(each)] for each in ours}
    faults: dict[str, str] = {}
    for kind, count in FAULTS.items():
        for number in islice(chosen, count):
            call = ours[number]
            request_id = call.request_id or ""
            (plain,) = charged[request_id]
            faults[request_id] = kind.partition(",")[0]
            off = chance.choice([-1, 1]) * chance.randint(TOLERANCE + 1, 10**7)
            match kind:
                case "missing" | "unknown, not charged":
                    charged[request_id] = []
                case "doubled":
                    charged[request_id] = [plain, replace(plain, at=(plain.at or 0) + chance.randint(0, 9_000))]
                case "priced_differently":
                    charged[request_id] = [replace(plain, nusd=(plain.nusd or 0) + off)]
                case "counted_differently":
                    charged[request_id] = [replace(plain, output_tokens=(plain.output_tokens or 0) + 1)]
                case "orphaned":
                    charged[f"odd_{number}"] = [replace(plain, request_id=f"odd_{number}")]
                    faults[f"odd_{number}"] = faults.pop(request_id)
            if kind.startswith("unknown"):
                ours[number] = replace(call, paid="unknown", nusd=call.nusd * 4)
    rows = [each for some in charged.values() for each in some]
    chance.shuffle(rows)
    return ours, [replace(each, place=place) for place, each in enumerate(rows, 1)], faults


@pytest.mark.parametrize("seed", SEEDS)
def test_of_an_invoice_by_calls_all_faults_are_found_and_none_is_invented(seed: int) -> None:
    ours, theirs, faults = _seeded(random.Random(seed))
    assert len(faults) == 1_000
    span = {"first": BEGIN, "last": BEGIN + (HOURS + 1) * HOUR_MS}
    compared = compare_calls(ours, theirs, **span)
    found = [((each.charge or each.call), each.kind) for each in compared.findings]
    assert Counter((each.request_id, kind) for each, kind in found if each) == Counter(faults.items())
    assert compared.matched == 6_000 - 1_000 + FAULTS["doubled"] + FAULTS["orphaned"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moment", ["started_at", "ended_at"])
def test_of_an_invoice_by_hour_and_model_all_faults_are_found_and_none_is_invented(seed: int, moment: str) -> None:
    """One fault for each of 1,000 sums, by whichever moment the provider counts: in others nothing is found."""
    chance = random.Random(seed)
    ours = calls(6_000, chance)
    charged = sums(ours, moment)
    within = {each for each in ours if each.started_at // HOUR_MS == (each.ended_at + 2_000) // HOUR_MS
              == (each.started_at - 2_000) // HOUR_MS}  # fmt: skip
    of_sum = {((each.started_at - BEGIN) // HOUR_MS, each.name): each for each in sorted(within, key=lambda c: c.job)}
    faults: dict[tuple[int, str], str] = {}
    for place, key in enumerate(chance.sample(sorted(of_sum), 1_000)):
        call, known = of_sum[key], charged[key]
        match place % 4:
            case 0:
                charged[key], faults[key] = more(known, call, -1), "less"
            case 1:  # twice that of all that may have been of the hour before or the next
                charged[key], faults[key] = more(known, call, 1 + (known.requests or 0)), "more"
            case 2:
                charged[key] = replace(known, nusd=2 * (known.nusd or 0) + 10**9)
                faults[key] = "priced_differently"
            case 3:
                stranger = key[0], "claude-nobody"
                charged[stranger] = replace(known, name="claude-nobody")
                faults[stranger] = "orphaned"
    compared = compare_sums(ours, list(charged.values()))
    spans = [((each.span[0] - BEGIN) // HOUR_MS, each.span[2] or "") for each in compared.findings if each.span]
    found = dict(zip(spans, (each.kind for each in compared.findings), strict=True))
    unseen = {key for key in faults if key not in found}
    # What was taken away is not to be seen where another call of the next hour may stand in its place.
    assert all(_has_company(ours, key) for key in unseen) and len(unseen) < 40
    assert found == {key: kind for key, kind in faults.items() if key not in unseen}


def _has_company(ours: list[Called], key: tuple[int, str]) -> bool:
    """Whether a call of this model reaches over an end of the hour."""
    begin, end = BEGIN + key[0] * HOUR_MS, BEGIN + (key[0] + 1) * HOUR_MS
    return any(
        each.name == key[1] and any(each.started_at - 2_000 <= edge <= each.ended_at + 2_000 for edge in (begin, end))
        for each in ours
    )
