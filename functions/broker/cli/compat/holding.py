"""Holding a recorded call against the stack: nothing is run, kept or paid for; who would do it is an estimate."""

from collections.abc import Callable, Mapping
from typing import Any

from broker.cli.compat.call import FAILED, REFUSED, WORKS, Call, Cost, Outcome
from broker.cli.rest_client import RestClient
from broker.doors.reading import Asked, renamed
from broker.errors import BrokerError, InvalidRequest, NotFound
from broker.jobs.request import parse_request

VERSION = "anthropic-version"


class Hold:
    """Says what would become of calls."""

    def __init__(self, client: RestClient, models: Mapping[str, str]) -> None:
        """`models` has the names of models here, by those that the calls name."""
        self._client = client
        self._models = models

    def __call__(self, call: Call) -> Outcome:
        """What would become of a call."""
        from broker.doors.unserved import instead_of
        from broker.rest.api import ROUTES
        from broker.rest.elsewhere import resource_of

        resource = resource_of(call.method, call.path, ROUTES)
        if resource is None:
            instead = instead_of(call.method, call.path, anthropic=VERSION in call.headers)
            why = f"not supported here ({instead})" if instead else "there is no such route"
            return Outcome(f"{call.method} {call.path}", REFUSED, why)
        route = f"{call.method} {resource}"
        mapping = _mappings().get(route)
        if mapping is None or call.is_form:
            return Outcome(route, WORKS, "a form, which was not looked at" if call.is_form else "")
        try:
            return Outcome(route, WORKS, cost=self._cost(mapping, call))
        except (InvalidRequest, NotFound) as error:
            return Outcome(route, REFUSED, error.message)
        except BrokerError as error:
            return Outcome(route, FAILED, error.message)

    def _cost(self, mapping: Callable[[Any], Asked], call: Call) -> Cost | None:
        asked = mapping(self._named_here(call.body))
        try:
            parse_request(asked.job)
        except InvalidRequest as error:
            raise renamed(error, asked.places) from None
        found = self._client.call("POST", "/estimates", asked.job)["candidates"]
        if not found:
            return None
        first = found[0]
        return Cost(first["model"], first["expected_cost_usd"], first["worst_cost_usd"])

    def _named_here(self, body: Any) -> Any:
        if not isinstance(body, dict) or body.get("model") not in self._models:
            return body
        return {**body, "model": self._models[body["model"]]}


def _mappings() -> dict[str, Callable[[Any], Asked]]:
    """By route, how a body becomes a job."""
    from broker.doors import images, speech
    from broker.doors.rows import FORMS

    rows = {f"POST {url.removeprefix('/v1')}": form.job_of for url, form in FORMS.items()}
    media = {"POST /images/generations": images.job_of, "POST /audio/speech": speech.job_of}
    return {**rows, **media, "POST /jobs": _own}


def _own(body: Any) -> Asked:
    return Asked(body if isinstance(body, dict) else {})
