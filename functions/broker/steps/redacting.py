"""What guardrails take out of a request and of an answer, kept so that the answer can be filled in again.

The request as models may see it stands beside the one that came in, and with it what its placeholders stand for: the
payload `jobs.store.REDACTED`. It lives and goes as the job's other payloads do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from broker.errors import Conflict
from broker.guardrails.edits import Edit, Place
from broker.guardrails.placeholders import Placeholders, named_in
from broker.guardrails.redaction import redacted
from broker.guardrails.walk import SENT
from broker.jobs.store import REDACTED, TOKENS, Jobs, Payloads
from broker.steps.context import Run
from broker.steps.token_counter import Material

Edits = Mapping[Place, Sequence[Edit]]


def redact_request(jobs: Jobs, payloads: Payloads, run: Run, request: Material, edits: Edits, key: bytes) -> bool:
    """Keep what models may see of a request; False where that is all of it, and nothing is kept.

    The same value has the same placeholder as where something was taken out before, in this run or the job's earlier
    ones, and as in the turns of its conversation. What only such turns have named as no longer come in is left out of
    the mapping: an answer out of the cache may have a placeholder of that name, and mean something else.

    Args:
        jobs: of the deployment.
        payloads: where it is kept.
        run: for which.
        request: as it came in.
        edits: what is to be taken out, by place.
        key: of hashes.

    Raises:
        Conflict: the job has ended meanwhile, and keeps nothing.
    """
    known: dict[str, str] = request.get("history", {}).get("mapping", {})
    if not edits and not known:
        return False
    earlier = _kept(payloads, run)["mapping"] if run.fence.run > 1 or run.redacted else {}
    names = Placeholders(named_in(_sent(request)), known | earlier)
    made = redacted(request, edits, names, key)
    made.pop("prompt", None)  # it was filled in; its variables are what came in
    visible = named_in(_sent(made))
    mapping = earlier | {name: value for name, value in names.mapping.items() if name in visible}
    # What was counted is what was held for; a placeholder takes about as many tokens as what it stands for.
    tokens = {TOKENS: request.tokens} if request.tokens else {}
    _keep(jobs, payloads, run, {"request": made | tokens, "mapping": mapping})
    return True


def redact_answer(jobs: Jobs, payloads: Payloads, run: Run, output: str, answer: Any, edits: Edits, key: bytes) -> None:
    """Change the answer that is kept as the payload `output`; its placeholders go on from the request's.

    Raises:
        Conflict: as `redact_request`.
    """
    kept = _kept(payloads, run)
    request, mapping = kept.get("request", {}), kept["mapping"]
    foreign = named_in(answer) - mapping.keys()  # such as an answer has that another job brought
    conversation = request.get("history", {}).get("mapping", {})
    known = {name: value for name, value in conversation.items() if name not in foreign} | mapping
    names = Placeholders(foreign | named_in(_sent(request)), known)
    made = redacted({"output": answer}, edits, names, key)["output"]
    used = named_in(made) - foreign
    following = mapping | {name: value for name, value in names.mapping.items() if name in used}
    if following != mapping:
        _keep(jobs, payloads, run, kept | {"mapping": following})
    payloads.replace(run, output, made)


def _kept(payloads: Payloads, run: Run) -> dict[str, Any]:
    kept: dict[str, Any] = payloads.load(run.id, REDACTED, fresh=True) or {"mapping": {}}
    return kept


def _keep(jobs: Jobs, payloads: Payloads, run: Run, document: dict[str, Any]) -> None:
    payloads.save(run, REDACTED, document)
    if jobs.get(run.id).status.terminal:  # it may have been erased, too
        payloads.drop(run.id, REDACTED)
        raise Conflict(f"job {run.id} has ended")


def _sent(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a model gets to see of a request."""
    return {name: request[name] for name in SENT if name in request}
