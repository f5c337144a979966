"""How many jobs may run at once, by what Lambda says."""

from typing import Any

import pytest
from botocore.session import get_session
from botocore.stub import Stubber
from broker.cloud.capacity import jobs_at_once


@pytest.mark.parametrize(("unreserved", "jobs"), [(10, 8), (1_000, 800), (743, 594), (1, 1), (0, 1)])
def test_jobs_get_most_of_what_is_not_reserved(unreserved: int, jobs: int) -> None:
    client: Any = get_session().create_client("lambda", region_name="us-east-1")
    limits = {"ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": unreserved}
    with Stubber(client) as stub:
        stub.add_response("get_account_settings", {"AccountLimit": limits}, {})
        assert jobs_at_once(client) == jobs
