"""`broker document run`, against S3 in the process, and the REST door of a broker that a test has go on."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from broker.batches.batch import DOCUMENT, Batch, BatchStatus
from broker.batches.shard import Sums
from broker.batches.store import Batches
from broker.cli import main
from broker.cli.progress import follow
from broker.inbox.files import File
from moto import mock_aws

from tests.fakes.batches import a_batch
from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer
from tests.unit.test_cli_batches import Terminal, seen

Printed = pytest.CaptureFixture[str]
TEMPLATE = {
    "Resources": {
        "InboxBucket": {"Type": "AWS::S3::Bucket"},
        "OutboxBucket": {"Type": "AWS::S3::Bucket"},
    },
    "Outputs": {name: {"Value": {"Ref": name}} for name in ("InboxBucket", "OutboxBucket")},
}
RESULT: dict[str, Any] = {
    "object": "document",
    "answer": {"title": "Lamps", "points": ["The lamp is lit [p. 2]."]},
    "error": None,
    "kind": "mail",
    "pages": 3,
    "citations": {"pages": [{"page": 2, "file": "a\x1b[2J.pdf", "file_page": 1}], "unknown": []},
    "notes": [],
    "usage": {"cost_usd": 0.0125},
    "children": [{}, {}],
}


@dataclass
class Broker:
    """What a file of the inbox comes to: told by `ends`, when it was looked for some times."""

    door: Door
    session: Any
    ends: Callable[["Broker", File], None] = lambda broker, file: None
    looked: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.door, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.looked += 1
        if self.looked == 3:
            self.ends(self, self.file)
        return self.door(*arguments, **options)

    @property
    def file(self) -> File:
        """The one file of the inbox."""
        s3, bucket = self.session.client("s3"), self.bucket_of("InboxBucket")
        (found,) = s3.list_object_versions(Bucket=bucket)["Versions"]
        return File(bucket, found["Key"], found["Size"], found["ETag"].strip('"'), found["VersionId"])

    def bucket_of(self, output: str) -> str:
        outputs = self.session.client("cloudformation").describe_stacks(StackName="my-broker")["Stacks"][0]["Outputs"]
        return str({each["OutputKey"]: each["OutputValue"] for each in outputs}[output])

    def put(self, key: str, body: Any) -> None:
        """Put a result into the outbox."""
        self.session.client("s3").put_object(Bucket=self.bucket_of("OutboxBucket"), Key=key, Body=json.dumps(body))

    def batch(self, file: File, tenant: str = "acme") -> Batch:
        """It is a batch, and has ended."""
        made = a_batch(
            id=file.batch_id,
            tenant=tenant,
            status=BatchStatus.COMPLETED,
            is_planned=True,
            source={"kind": DOCUMENT, "bucket": file.bucket, "key": file.key},
            asked={DOCUMENT: {"recipe": "notes", "version": 1}},
            sums=Sums({"succeeded": 2}, 12_500_000),
            output={"kind": "outbox", "result_key": f"{file.key}.notes.json"},
        )
        assert Batches(self.door.world.database).create(made)
        return made

    def answers(self, file: File, **changes: Any) -> None:
        """It has this result."""
        made = self.batch(file)
        result = {**RESULT, "batch_id": made.id, "key": file.key, **changes}
        self.put(f"{file.key}.notes.json", result)
        self.door.bucket.objects["result"] = json.dumps(result).encode()
        self.door.batches.links[made.id, "output"] = f"{self.door.bucket.url}/result"


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("BROKER_STACK", "my-broker")
    with mock_aws():
        session = boto3.Session()
        session.client("cloudformation").create_stack(StackName="my-broker", TemplateBody=json.dumps(TEMPLATE))
        made = Broker(Door(), session)
        versions = {"Status": "Enabled"}
        session.client("s3").put_bucket_versioning(
            Bucket=made.bucket_of("InboxBucket"), VersioningConfiguration=versions
        )
        with RestServer(made) as running:  # type: ignore[arg-type]  # it is one, and goes on
            monkeypatch.setenv("BROKER_URL", running.url)
            monkeypatch.setenv("BROKER_API_KEY", KEY)
            monkeypatch.setenv("BROKER_TENANT", "acme")
            yield made


@pytest.fixture
def paper(tmp_path: Path) -> str:
    (tmp_path / "a b.pdf").write_bytes(b"%PDF-1.7 what it holds")
    return str(tmp_path / "a b.pdf")


def test_a_stack_that_takes_no_files_says_so_and_nothing_is_put(
    broker: Broker, paper: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = {**TEMPLATE, "Outputs": {**TEMPLATE["Outputs"], "Inbox": {"Value": "off"}}}
    broker.session.client("cloudformation").create_stack(StackName="without", TemplateBody=json.dumps(template))
    monkeypatch.setenv("BROKER_STACK", "without")
    assert main(["document", "run", paper, "--recipe", "notes"]) == 3
    assert "Inbox=off" in capsys.readouterr().err


def test_a_file_goes_to_its_recipe_and_its_answer_comes_with_pages_and_cost(
    broker: Broker, paper: str, capsys: Printed
) -> None:
    broker.ends = Broker.answers
    assert main(["document", "run", paper, "--recipe", "notes"]) == 0
    printed = capsys.readouterr()
    tenant, recipe, _, name = broker.file.key.split("/")
    assert (tenant, recipe, name) == ("acme", "notes", "a b.pdf")
    body = broker.session.client("s3").get_object(Bucket=broker.file.bucket, Key=broker.file.key)["Body"].read()
    assert body == Path(paper).read_bytes()
    assert '"The lamp is lit [p. 2]."' in printed.out
    assert "cites p. 2 (a\\u{1b}[2J.pdf, p. 1)" in printed.out, "a terminal only shows it"
    assert "mail, 3 pages  2 jobs  0.012500 $" in printed.out
    assert "is being read" in printed.err and "completed" in printed.err


def test_a_file_whose_event_told_no_version_is_found_as_well(broker: Broker, paper: str, capsys: Printed) -> None:
    broker.ends = lambda broker, file: broker.answers(replace(file, version=None))
    assert main(["document", "run", paper, "--recipe", "notes"]) == 0
    assert "cites p. 2" in capsys.readouterr().out


def test_as_json_it_is_the_whole_result(broker: Broker, paper: str, capsys: Printed) -> None:
    broker.ends = Broker.answers
    assert main(["document", "run", paper, "--recipe", "notes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {**RESULT, "batch_id": broker.file.batch_id, "key": broker.file.key}


def test_one_without_an_answer_says_why_and_tells_it_by_its_status(broker: Broker, paper: str, capsys: Printed) -> None:
    error = {"code": "unfounded_citation", "message": "The answer cites\nno page."}
    broker.ends = lambda broker, file: broker.answers(file, answer=None, citations=None, error=error)
    assert main(["document", "run", paper, "--recipe", "notes"]) == 1
    assert "unfounded_citation: The answer cites\\nno page." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("suffix", "body", "said"),
    [
        (".error.json", {"error": {"code": "kind_not_taken", "message": "It takes pdf."}}, "kind_not_taken: It takes"),
        (".result.json", {"object": "job", "id": "job_1", "status": "succeeded", "error": None}, "no recipe 'notes'"),
        (".theirs.json", {"object": "document", "error": None}, "not of the tenant 'acme'"),
    ],
)
def test_one_that_becomes_no_batch_of_the_key_is_not_waited_for_for_ever(
    broker: Broker, paper: str, capsys: Printed, suffix: str, body: Any, said: str
) -> None:
    broker.ends = lambda broker, file: broker.put(file.key + suffix, body)
    assert main(["document", "run", paper, "--recipe", "notes"]) == 1
    assert said in capsys.readouterr().out


def test_what_cannot_be_a_document_is_not_put_anywhere(
    broker: Broker, paper: str, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = tmp_path / "a.JSON"
    request.write_text("{}")
    for arguments in (
        [str(request), "--recipe", "notes"],
        [paper, "--recipe", "../other"],
        [paper, "--recipe", ""],
        [paper, "--recipe", "notes", "--tenant", "acme/x"],
        [str(tmp_path / "none.pdf"), "--recipe", "notes"],
    ):
        assert main(["document", "run", *arguments]) == 3
        assert capsys.readouterr().err.startswith("broker: ")
    monkeypatch.delenv("BROKER_TENANT")
    assert main(["document", "run", paper, "--recipe", "notes"]) == 3
    assert "--tenant" in capsys.readouterr().err
    assert "Versions" not in broker.session.client("s3").list_object_versions(Bucket=broker.bucket_of("InboxBucket"))


def test_progress_tells_a_documents_latest_stage() -> None:
    def at(*stages: tuple[str, int, int]) -> dict[str, Any]:
        told = [{"name": name, "ended": ended, "total": total} for name, ended, total in stages]
        return seen(sum(ended for _, ended, _ in stages), 5, document={"stages": told})

    looks = [at(("parts", 1, 4)), at(("parts", 4, 4), ("merge-1", 1, 1)) | {"status": "completed"}]
    for out in (io.StringIO(), Terminal()):
        follow(iter(looks).__next__, lambda now: now["status"] == "completed", out, lambda seconds: None)
        assert "parts 1/4" in out.getvalue() and "merge-1 1/1" in out.getvalue()
