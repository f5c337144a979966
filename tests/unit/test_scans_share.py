"""One tenant's thousands of scans and another's few, at a service that has so many documents at work for an account."""

from typing import Any

from broker.errors import CircuitOpen
from broker.providers.aws.textract import Textract
from broker.routing.at_once import AtOnce
from broker.routing.model import Model

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, SECOND, a_model
from tests.unit.test_local_textract import call, cloud, scan

PLACES = 5
READER = Model.from_item(a_model("textract", asynchronous=True, tenant_at_once=2, wait_s=1_800))


class Account:
    """What runs for all tenants: the service, and what waits for it."""

    def __init__(self) -> None:
        self.works: list[Any] = []
        service = cloud(scan(["x"]), ["x"], run=self.works.append, at_work=PLACES)
        self.textract = Textract(lambda name, region, timeout: service)
        self.at_once = AtOnce(FakeDatabase())
        self.going: list[tuple[str, str]] = []

    def begin(self, tenant: str, job_id: str) -> bool:
        """As Invoke Model does; False where the job goes back to its queue."""
        try:
            self.at_once.take(READER, tenant, job_id, NOW)
        except CircuitOpen:
            return False
        self.textract.invoke(call("forms", name=f"{job_id}-1-1"))
        self.going.append((tenant, job_id))
        return True

    def end_first(self) -> str:
        """The document that began first is done; gives its tenant."""
        self.works.pop(0)()
        tenant, job_id = self.going.pop(0)
        self.at_once.leave(READER, tenant, job_id)
        return tenant


def test_whoever_comes_first_with_whatever_many_has_its_share_and_others_begin_at_once() -> None:
    account = Account()
    floods = [account.begin("floods", f"job_f{number}") for number in range(120)]
    assert floods.count(True) == 2
    assert account.begin("waits", "job_w1") and account.begin("waits", "job_w2"), "the account has places for it"


def test_all_of_a_flood_is_done_in_the_end_and_never_more_at_once_than_its_share() -> None:
    account = Account()
    waiting = [f"job_{number}" for number in range(30)]
    done = 0
    while waiting or account.going:
        waiting = [job_id for job_id in waiting if not account.begin("floods", job_id)]
        assert len(account.going) <= 2
        account.end_first()
        done += 1
    assert done == 30


def test_jobs_whose_workflows_died_give_their_places_back_by_their_time() -> None:
    account = Account()
    assert account.begin("floods", "job_1") and account.begin("floods", "job_2")
    later = NOW + 1_800 * SECOND
    account.at_once.take(READER, "floods", "job_3", later)
