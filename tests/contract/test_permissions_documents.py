"""Who may do what with what is read of documents, and with the pages that jobs have read."""

import pytest

from tests.contract.stack import functions
from tests.contract.test_permissions import OF_JOBS, rights_on

OF_DOCUMENTS = {"Fn::Sub": "${PayloadsBucket.Arn}/documents/*"}
READINGS = {
    "TakeFileFunction": {"s3:GetObject", "s3:DeleteObject"},
    "ReadDocumentFunction": {"s3:PutObject"},  # who reads files of strangers reads nothing of ours
    "BatchStepFunction": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},  # and keeps what came of stages
}


@pytest.mark.parametrize("name", functions())
def test_a_function_may_do_with_readings_what_it_does(name: str) -> None:
    assert rights_on(name, OF_DOCUMENTS) == READINGS.get(name, set())


def test_who_lays_out_stages_gives_jobs_their_pages_and_takes_nothing_from_them() -> None:
    assert rights_on("BatchStepFunction", OF_JOBS) == {"s3:GetObject", "s3:PutObject"}
