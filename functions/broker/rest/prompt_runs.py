"""A prompt as an endpoint of its own: the body of `POST /v1/prompts/{id}/run` as that of a job."""

from typing import Any

from broker.errors import InvalidRequest

OF_THE_PROMPT = ("variables", "version", "label")
"""What belongs to the prompt; all else is the job's."""

NOT_TAKEN = ("prompt", "task")


def run_body(prompt_id: str, body: Any) -> dict[str, Any]:
    """The job request; it is checked like any other, so faults of variables are told as `prompt.variables.…`.

    Raises:
        InvalidRequest: the body is no object, or says what the path says.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_body")
    for name in NOT_TAKEN:
        if name in body:
            raise InvalidRequest(f"{name}: the path names the prompt.", code="invalid_field", param=name)
    prompt = {name: body[name] for name in OF_THE_PROMPT if name in body}
    job = {name: value for name, value in body.items() if name not in OF_THE_PROMPT}
    return {**job, "prompt": {"id": prompt_id, **prompt}}
