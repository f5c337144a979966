"""OpenAI's own package against the deployed stack, with only `base_url` and `api_key` changed."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from broker.cli import create_key

from tests.e2e.stack import Stack


def client_of(stack: Stack, tenant: str, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=stack.base_url, api_key=create_key(stack.database, tenant, "openai"), **options)


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with client_of(stack, "demo") as made:
        yield made


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Iterator[openai.OpenAI]:
    with client_of(stack, "other") as made:
        yield made


def unique() -> str:
    return f"The lamp {uuid.uuid4().hex} needed nobody."


def jobs_of(stack: Stack, text: str, tenant: str = "demo") -> list[str]:
    """The tenant's newest jobs of which the request has this text."""
    api, found = stack.as_tenant(tenant), []
    for job in api.call("GET", "/jobs?limit=100").body["data"]:
        shown = api.call("GET", f"/jobs/{job['id']}").body
        if shown["metadata"].get("text") == text:
            found.append(job["id"])
    return found


def test_answers_come_by_responses_and_by_chats(client: openai.OpenAI) -> None:
    asked = unique()
    response = client.responses.create(model="echoes", input=asked, instructions="Be brief.", temperature=0)
    assert (asked in response.output_text, response.status, response.model) == (True, "completed", "echoes")
    assert response.usage and response.usage.output_tokens > 0
    assert response._request_id
    again = client.responses.retrieve(response.id)
    assert again.to_dict() == response.to_dict()
    chat = client.chat.completions.create(model="echoes", messages=[{"role": "user", "content": asked}])
    assert asked in str(chat.choices[0].message.content)
    assert client.chat.completions.retrieve(chat.id).to_dict() == chat.to_dict()


def test_a_stream_brings_the_finished_answer(client: openai.OpenAI) -> None:
    asked = unique()
    with client.responses.stream(model="echoes", input=asked) as stream:
        assert asked in stream.get_final_response().output_text
    said: Any = [{"role": "user", "content": asked}]
    chunks = list(client.chat.completions.create(model="echoes", messages=said, stream=True))
    assert asked in "".join(str(each.choices[0].delta.content or "") for each in chunks)


def test_work_in_the_background_is_polled_until_it_is_done(client: openai.OpenAI) -> None:
    response = client.responses.create(model="slow", input=unique(), background=True, service_tier="flex")
    assert response.status in ("queued", "in_progress")
    response = client.responses.retrieve(response.id, extra_query={"wait": 25})
    assert (response.status, response.service_tier) == ("completed", "flex")
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_work_in_the_background_can_be_canceled(client: openai.OpenAI) -> None:
    response = client.responses.create(model="hangs-on", input=unique(), background=True)
    assert client.responses.cancel(response.id).status == "cancelled"
    assert client.responses.cancel(response.id).status == "cancelled"


def test_an_answer_in_form_and_its_embedding(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "bird", "schema": schema, "strict": False}}
    said: Any = [{"role": "user", "content": "Which bird?"}]
    chat = client.chat.completions.create(model="answers", messages=said, response_format=form)
    assert '"name"' in str(chat.choices[0].message.content)
    one, other = (client.embeddings.create(model="answers", input=["heron", "lamp"]) for _ in range(2))
    assert len(one.data) == 2
    assert one.data[0].embedding == other.data[0].embedding != one.data[1].embedding


def test_models_are_those_of_the_tenant(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert listed["echoes"].created > 1_700_000_000
    assert client.models.retrieve("echoes") == listed["echoes"]


def test_mistakes_and_failures_raise_the_packages_errors(stack: Stack, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        client.responses.create(model="echoes", input="Hi", reasoning={"effort": "high"})
    assert (failure.value.param, failure.value.code) == ("model", "no_candidate"), "it cannot reason"
    assert failure.value.request_id
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(model="refuses", messages=[{"role": "user", "content": unique()}])
    assert failure.value.code == "model_refused"
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="throttles", messages=[{"role": "user", "content": unique()}])
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.retrieve("resp_none")
    assert missing.value.code == "not_found"
    with openai.OpenAI(base_url=stack.base_url, api_key="ib_nobody_at_all") as nobody:
        with pytest.raises(openai.AuthenticationError) as unknown:
            nobody.models.list()
    assert unknown.value.request_id
    with client_of(stack, "poor") as poor, pytest.raises(openai.APIStatusError) as broke:
        poor.responses.create(model="dear", input="Hi", max_output_tokens=1000)
    assert (broke.value.status_code, broke.value.code) == (402, "budget_exceeded")


def test_another_tenant_finds_nothing(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    response = client.responses.create(model="echoes", input=unique())
    for call in (stranger.responses.retrieve, stranger.responses.cancel, stranger.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call(response.id)
    assert client.responses.retrieve(response.id).status == "completed"


def posted(client: openai.OpenAI, text: str, count: int) -> str:
    """One try of a call, as the package sends it."""
    response = client.responses.create(
        model="echoes",
        input=text,
        metadata={"text": text},
        background=True,
        extra_headers={"x-stainless-retry-count": str(count)},
    )
    return response.id


def test_a_repeat_finds_the_job_and_two_equal_calls_are_two(
    stack: Stack, client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    asked = unique()
    with ThreadPoolExecutor(2) as pool:
        wanted = set(pool.map(lambda _: posted(client, asked, 0), range(2)))
        assert len(wanted) == 2
        assert set(pool.map(lambda _: posted(client, asked, 1), range(2))) == wanted
    # A count that is forged for another's body finds nothing of theirs.
    theirs = posted(stranger, asked, 1)
    assert theirs not in wanted
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(theirs)
    assert {each.replace("job_", "resp_") for each in jobs_of(stack, asked)} == wanted


def test_calls_whose_function_crashes_at_random_get_one_job_each(stack: Stack) -> None:
    """Before and after its writes and sends, by an exception or by the end of the process; the package repeats."""
    texts = [unique() for _ in range(30)]
    with client_of(stack, "demo", max_retries=9) as client:

        def ask(text: str) -> str:
            response = client.responses.create(model="echoes", input=text, metadata={"text": text}, background=True)
            return response.id

        with stack.faults("0.04", ["Api"]), ThreadPoolExecutor(3) as pool:
            told = list(pool.map(ask, texts))
        assert len(set(told)) == len(texts)
        for text, known in zip(texts, told, strict=True):
            for _ in range(8):  # what a crash kept from its queue, the sweep sends
                response = client.responses.retrieve(known, extra_query={"wait": 25})
                if response.status == "completed":
                    break
            assert text in response.output_text
    api = stack.as_tenant("demo")
    page = api.call("GET", "/jobs?limit=100").body["data"]
    shown = [api.call("GET", f"/jobs/{job['id']}").body for job in page]
    made = [each["metadata"]["text"] for each in shown if each["metadata"].get("text") in texts]
    assert sorted(made) == sorted(texts)


def test_a_call_that_the_gateway_cuts_is_repeated_by_the_package_and_is_one_job(stack: Stack) -> None:
    """Its function writes the job and hangs before it is sent, until the gateway gives up; the repeat finds the job."""
    asked = unique()
    with client_of(stack, "demo", max_retries=4) as client, ThreadPoolExecutor(1) as pool:

        def ask() -> str:
            response = client.responses.create(model="echoes", input=asked, metadata={"text": asked}, background=True)
            return response.id

        with stack.faults("hang:QueueUrl", ["Api"]):
            told = pool.submit(ask)
            time.sleep(20)
            assert not told.done(), "the first try hangs"
        known = told.result(timeout=120)
        assert jobs_of(stack, asked) == [known.replace("resp_", "job_")]
