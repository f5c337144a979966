"""Long texts of prompts: the fake and the bucket keep the same promises, and the rooms that use them work on both."""

from typing import Any

import pytest
from botocore.stub import Stubber
from broker.cloud.texts import PREFIX, BucketTexts
from broker.errors import Unavailable
from broker.prompts.templates import Prompts
from broker.prompts.texts import Texts
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import plan_rollback
from broker.registry.versions import Registry
from broker.storage import Database

from tests.adapters.conftest import BUCKET
from tests.fakes.texts import FakeTexts, long_text
from tests.fakes.world import NOW

DIGEST, PACKED = "5d41402a", bytes(range(256))


@pytest.fixture(params=["fake", "adapter"])
def texts(request: pytest.FixtureRequest) -> Texts:
    if request.param == "fake":
        return FakeTexts()
    bucket = request.getfixturevalue("bucket")
    return BucketTexts(BUCKET, lambda: bucket)


def test_gives_back_what_was_put_however_often(texts: Texts) -> None:
    for _ in range(2):
        texts.put(DIGEST, PACKED)
    texts.put("other", b"x")
    assert [texts.get(DIGEST, 256) for _ in range(2)] == [PACKED, PACKED]


@pytest.mark.parametrize(("digest", "most", "code"), [("none", 256, "missing"), (DIGEST, 255, "too_large")])
def test_what_is_not_there_or_larger_than_expected_is_an_error_that_passes(
    texts: Texts, digest: str, most: int, code: str
) -> None:
    texts.put(DIGEST, PACKED)
    with pytest.raises(Unavailable) as failure:
        texts.get(digest, most)
    assert failure.value.code == f"prompt_text_{code}"
    assert failure.value.retry_after


def test_lies_below_its_prefix_and_asks_for_a_client_only_then(bucket: Any) -> None:
    asked: list[str] = []

    def s3() -> Any:
        asked.append("s3")
        return bucket

    texts = BucketTexts(BUCKET, s3)
    assert asked == []
    texts.put(DIGEST, PACKED)
    assert asked == ["s3"]
    assert [each["Key"] for each in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]] == [f"{PREFIX}{DIGEST}"]


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NoSuchKey", 404)])
def test_what_may_not_be_read_is_told_as_what_is_not_there(bucket: Any, code: str, status: int) -> None:
    with Stubber(bucket) as stubbed:
        stubbed.add_client_error("get_object", code, http_status_code=status)
        with pytest.raises(Unavailable) as failure:
            BucketTexts(BUCKET, lambda: bucket).get(DIGEST, 256)
    assert failure.value.code == "prompt_text_missing"


def test_other_failures_of_the_bucket_are_not_hidden(bucket: Any) -> None:
    with Stubber(bucket) as stubbed:
        stubbed.add_client_error("get_object", "InternalError", http_status_code=500)
        with pytest.raises(bucket.exceptions.ClientError):
            BucketTexts(BUCKET, lambda: bucket).get(DIGEST, 256)


# Not "lean": its server and the bucket's mock share moto's state, and the mock begins with none.
@pytest.mark.parametrize("database", ["fake", "dynamodb"], indirect=True)
def test_a_long_prompt_is_registered_filled_listed_and_rolled_back(database: Database, texts: Texts) -> None:
    registry, prompts = Registry(database, texts), Prompts(database, texts)
    long, short = {"id": "p", "user": long_text(1_900_000)}, {"id": "p", "user": "Short."}
    for each in (long, short):
        document = parse_registry({"prompts": [each]})
        assert len(apply(registry, document, by="ada", now=NOW).changes) == 1
        assert apply(registry, document, by="ada", now=NOW).changes == ()
    change = plan_rollback(registry, "prompts", "p", 1)
    assert change is not None
    registry.write(change, "ada", NOW)

    def said(**more: Any) -> str:
        return prompts.fill({"id": "p", **more}, "key", NOW).messages[0]["content"]

    assert [said(), said(version=1), said(version=2)] == [long["user"], long["user"], "Short."]
    assert [each.listed()["omitted"] for each in registry.history("prompts", "p")] == [["user"], [], ["user"]]
    assert registry.get("prompts", "p").to_dict()["entry"] == long
