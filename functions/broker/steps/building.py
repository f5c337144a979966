"""What is sent in one provider call: the request as its model gets it, and the key that it is sent with."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from broker.errors import BadOutput, Rejected
from broker.guardrails.untrusted import marked
from broker.jobs.head import Head
from broker.prompt_marks import SHORT
from broker.providers.wire.base import Call, MediaReader
from broker.routing.credentials import Credential
from broker.routing.model import Model
from broker.routing.provider_options import asked_of, not_taken, refuses
from broker.routing.question import Question
from broker.steps.context import Run
from broker.steps.exchanging import Planned
from broker.steps.token_counter import counter

REASONING = "reasoning"
"""A capability, a parameter, and the option that says how a model is asked for it."""

Secret = Callable[[str], str]
"""Reads a secret by its name."""


def built(
    plan: Planned, key: str, credential: Credential | None, secret: Secret, media: Callable[[Run], MediaReader]
) -> Call:
    """The call of a plan, under its key on the job's head.

    Raises:
        CredentialRejected: there is no such secret.
        Rejected: the request wants nothing left out that the model does not take.
    """
    run, head, model, request = plan.run, plan.head, plan.model, plan.request
    if refuses(request) and (left_out := not_taken(model, request)):  # it was registered anew since
        what = f"The model does not take {', '.join(left_out)}."
        raise Rejected(what, code="unsupported_parameter", param=left_out[0])
    mine = [call for call in of_run(head, run).values() if call["m"] == model.id]
    missed = [call for call in mine if call.get("o") == BadOutput.__name__]
    # The model's own limit is sent too: what was held covers an answer of that length and no longer one.
    most = Question(request, counter(request), plan.now).most_output(model)
    return Call(
        task=request["task"],
        model=model.name,
        input=marked(request).get("input", {}),
        parameters=_parameters(model, request) | {"max_output_tokens": most},
        timeout=plan.time_slice.seconds,
        secret=secret_of(model, credential, secret),
        endpoint=model.endpoint,
        output_schema=request.get("output_schema"),
        repair=bool(missed),
        fault=missed[-1]["e"]["message"] if missed else "",
        options=model.options,
        media=media(run),
        extra=asked_of(model, request),
        **_caching(plan),
        token=f"{head.id}-{key.replace('.', '-')}",
        scope=run.tenant,
    )


def _parameters(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a request. A model that does not reason is not told to leave it: it may have no word for that at all."""
    given = dict(request.get("parameters", {}))
    told = REASONING in model.capabilities or not model.options.keys().isdisjoint((REASONING, "efforts"))
    if not told and (given.get(REASONING) or {}).get("effort") == "none":
        del given[REASONING]
    return given


def _caching(plan: Planned) -> dict[str, str]:
    """How the provider's prompt cache is asked for help, by the names of `wire.base.Call`.

    A key of a tenant's is its own, and no other's of that name: it is told as a digest of both. Turns of a
    conversation begin alike, so they have one where the request has none.
    """
    if plan.operation is not None:
        return {}
    wish = plan.request.get("prompt_cache", {})
    common = wish.get("key") or plan.head.conversation
    key = sha256(f"prompt cache {plan.run.tenant}\n{common}".encode()).hexdigest()[:32] if common else ""
    return {"cache_key": key, "cache_ttl": wish.get("ttl", SHORT) if "prompt_cache" in plan.request else ""}


def secret_of(model: Model, credential: Credential | None, secret: Secret) -> str | None:
    """The text of the key that a call is made with; None where a model has none."""
    name = model.secret if credential is None else credential.secret
    return secret(name) if name else None


def key_of(model: Model, call: Mapping[str, Any]) -> Credential | None:
    """The key of a pool that a call on record was made with; another where an operator took that one away since."""
    named = (each for each in model.credentials if each.name == call.get("j"))
    return next(named, next(iter(model.credentials), None))


def of_run(head: Head, run: Run) -> dict[str, dict[str, Any]]:
    """The calls of one run."""
    return head.calls_of(run.fence.run)
