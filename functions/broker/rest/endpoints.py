"""The routes of registered endpoints: the broker's own and OpenAI's, two mappings over the same use cases."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from broker.batches.asking.request import moment
from broker.clock import iso, now_ms
from broker.delivery.client_certificates import read
from broker.delivery.owners import ENDPOINT
from broker.doors import webhooks
from broker.endpoints.bodies import (
    EVENTS,
    ClientCertificateBody,
    EndpointBody,
    EndpointChange,
    Recovery,
    Rotation,
    TestBody,
    events_of,
)
from broker.endpoints.events import OPENAI
from broker.endpoints.keeping import Endpoints
from broker.endpoints.log import MOST_LISTED, DeliveryLog
from broker.endpoints.record import Endpoint, Form, NewEndpoint, new_endpoint_id
from broker.endpoints.testing import Test
from broker.errors import InvalidRequest, NotFound
from broker.jobs import repeats
from broker.jobs.idempotency import check_key
from broker.jobs.request import parsed
from broker.rest.endpoint_views import plain, shown, summary
from broker.rest.http import MOST_WAIT_S, Reply, Request
from broker.rest.tries import asked_once
from broker.storage import Database, Item

MOST_RECOVERING_S = 20
"""From when the function got the call: API Gateway cuts it after 29 seconds."""

OLDEST_MS = 31 * 86_400_000
"""What may be recovered is at most as old; most records are gone sooner."""


@dataclass(frozen=True, slots=True)
class EndpointDoor:
    """The use cases behind the routes."""

    database: Database
    endpoints: Endpoints
    log: DeliveryLog
    test: Test

    def register_endpoint(self, request: Request) -> Reply:
        """`POST /webhooks`: `201`, with the secret, which is told this once."""
        body = parsed(EndpointBody, request.json())
        events = events_of(body.format, body.events, "events")
        full = _is_full(body.payload, body.format)
        client = _client(body.client_certificate)
        new = NewEndpoint(body.format, body.url, events, body.description, body.headers, client, full, body.asymmetric)
        endpoint, secret = self._register(request, new)
        return Reply(201, shown(endpoint, {}) | {"secret": secret})

    def list_endpoints(self, request: Request) -> Reply:
        """`GET /webhooks`: all of the tenant's, of both forms, the oldest first."""
        found = self.endpoints.all(request.tenant)
        return Reply(200, {"object": "list", "data": [summary(each) for each in found]})

    def get_endpoint(self, request: Request) -> Reply:
        """`GET /webhooks/{id}`: with what became of its attempts."""
        return self._told(self._endpoint(request), request)

    def change_endpoint(self, request: Request) -> Reply:
        """`PATCH /webhooks/{id}`: what waits goes to the new address, too."""
        body = parsed(EndpointChange, request.json())
        before = self._endpoint(request)
        facts: dict[str, Any] = {} if body.url is None else {"url": body.url}
        if body.events is not None:
            facts["events"] = events_of(before.form, body.events, "events")
        if body.description is not None:
            facts["name"] = body.description
        if body.headers is not None:
            facts["headers"] = body.headers
        if "client_certificate" in body.model_fields_set:
            facts["client"] = _client(body.client_certificate)
        if body.payload is not None:
            facts["full"] = _is_full(body.payload, before.form)
        return self._told(self.endpoints.change(request.tenant, before.id, now_ms(), **facts), request)

    def delete_endpoint(self, request: Request) -> Reply:
        """`DELETE /webhooks/{id}`."""
        self.endpoints.delete(request.tenant, request.path["id"])
        return Reply(204, None)

    def rotate_secret(self, request: Request) -> Reply:
        """`POST /webhooks/{id}/rotate`: with the new secret, which is told this once."""
        keeps = parsed(Rotation, request.json() if request.body else {}).keep_old_for_24_hours
        endpoint, secret = self.endpoints.rotate(request.tenant, request.path["id"], now_ms(), keeps_old=keeps)
        return Reply(200, shown(endpoint, self._counts(endpoint)) | {"secret": secret})

    def enable_endpoint(self, request: Request) -> Reply:
        """`POST /webhooks/{id}/enable`."""
        return self._told(self.endpoints.switch(request.tenant, request.path["id"], now_ms(), on=True), request)

    def disable_endpoint(self, request: Request) -> Reply:
        """`POST /webhooks/{id}/disable`: nothing is kept for it from now on."""
        return self._told(self.endpoints.switch(request.tenant, request.path["id"], now_ms(), on=False), request)

    def test_endpoint(self, request: Request) -> Reply:
        """`POST /webhooks/{id}/test`: sends an event about nothing, and says what came back."""
        body = parsed(TestBody, request.json() if request.body else {})
        endpoint = self._endpoint(request)
        event = body.event or endpoint.events[0]
        attempt = self._test(request, endpoint, event)
        told = {name: attempt[name] for name in ("event_id", "status", "error", "latency_ms")}
        known = {"object": "webhook.test", "endpoint_id": endpoint.id, "event": event}
        return Reply(200, {**known, **told, "delivered": attempt["state"] == "delivered"})

    def list_deliveries(self, request: Request) -> Reply:
        """`GET /webhooks/{id}/deliveries`: the newest events first, each with its attempts."""
        limit, after = request.number("limit", 20), request.query.get("after") or None
        if not 1 <= limit <= MOST_LISTED - 1:
            raise InvalidRequest(f"limit is from 1 to {MOST_LISTED - 1}.", param="limit")
        found, more = self.log.page(self._endpoint(request), limit=limit, after=after)
        return Reply(200, {"object": "list", "data": [each.view() for each in found], "has_more": more})

    def get_delivery(self, request: Request) -> Reply:
        """`GET /webhooks/{id}/deliveries/{delivery_id}`."""
        return Reply(200, self.log.find(self._endpoint(request), request.path["delivery_id"]).view())

    def redeliver_one(self, request: Request) -> Reply:
        """`POST /webhooks/{id}/deliveries/{delivery_id}/redeliver`."""
        found = self.log.redeliver(self._endpoint(request), request.path["delivery_id"], now_ms())
        return Reply(202, found.view())

    def recover_deliveries(self, request: Request) -> Reply:
        """`POST /webhooks/{id}/recover`: sends again what was given up, or not sent while the endpoint was disabled."""
        body, now = parsed(Recovery, request.json()), now_ms()
        since, until = _time(body.since, "since"), _time(body.until, "until") if body.until else now
        if not max(0, now - OLDEST_MS) <= since <= until:
            message = f"since: it is before until, and not more than {OLDEST_MS // 86_400_000} days ago"
            raise InvalidRequest(message, code="invalid_field", param="since")
        endpoint = self._endpoint(request)
        if endpoint.off:
            raise InvalidRequest("The endpoint is disabled; enable it first.", code="endpoint_disabled", param="id")

        def time_left() -> bool:
            return time.monotonic() < request.began + MOST_RECOVERING_S

        sent, further = self.log.recover(endpoint, since, min(until, now), now, time_left)
        return Reply(202, {"object": "webhook.recovery", "queued": sent, "continue_since": iso(further)})

    def create_webhook_endpoint(self, request: Request) -> Reply:
        """`POST /webhook_endpoints`."""
        body = webhooks.registration(request.json())
        events = events_of(OPENAI, body["events"], "event_types")
        endpoint, secret = self._register(request, NewEndpoint(OPENAI, body["url"], events, body["name"]))
        return Reply(200, webhooks.endpoint_of(plain(endpoint), secret))

    def list_webhook_endpoints(self, request: Request) -> Reply:
        """`GET /webhook_endpoints`: those of this form, the oldest first."""
        limit, after = request.number("limit", 20), request.query.get("after") or ""
        if not 1 <= limit <= 100:
            raise InvalidRequest("limit is from 1 to 100.", param="limit")
        found = [each for each in self.endpoints.all(request.tenant) if each.form == OPENAI and each.id > after]
        data = [webhooks.endpoint_of(plain(each)) for each in found[:limit]]
        ids = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return Reply(200, {"object": "list", "data": data, **ids, "has_more": len(found) > limit})

    def get_webhook_endpoint(self, request: Request) -> Reply:
        """`GET /webhook_endpoints/{id}`."""
        return Reply(200, webhooks.endpoint_of(plain(self._endpoint(request, OPENAI))))

    def update_webhook_endpoint(self, request: Request) -> Reply:
        """`POST /webhook_endpoints/{id}`."""
        facts = webhooks.change(request.json())
        if "events" in facts:
            facts["events"] = events_of(OPENAI, facts["events"], "event_types")
        before = self._endpoint(request, OPENAI)
        return Reply(
            200, webhooks.endpoint_of(plain(self.endpoints.change(request.tenant, before.id, now_ms(), **facts)))
        )

    def delete_webhook_endpoint(self, request: Request) -> Reply:
        """`DELETE /webhook_endpoints/{id}`."""
        endpoint = self._endpoint(request, OPENAI)
        self.endpoints.delete(request.tenant, endpoint.id)
        return Reply(200, {"id": endpoint.id, "object": "webhook_endpoint.deleted", "deleted": True})

    def rotate_webhook_secret(self, request: Request) -> Reply:
        """`POST /webhook_endpoints/{id}/rotate_secret`."""
        keeps = webhooks.rotation(request.json() if request.body else {})
        endpoint = self._endpoint(request, OPENAI)
        after, secret = self.endpoints.rotate(request.tenant, endpoint.id, now_ms(), keeps_old=keeps)
        return Reply(200, webhooks.endpoint_of(plain(after), secret))

    def test_webhook_endpoint(self, request: Request) -> Reply:
        """`POST /webhook_endpoints/{id}/test`."""
        event = webhooks.tested_event(request.json())
        endpoint = self._endpoint(request, OPENAI)
        if event not in endpoint.events:
            known = ", ".join(endpoint.events)
            raise InvalidRequest(
                f"event_type: it is one of the endpoint's: {known}.", code="invalid_field", param="event_type"
            )
        attempt = self._test(request, endpoint, event)
        if attempt["status"] is None:
            raise InvalidRequest("The endpoint gave no answer.", code=attempt["error"] or "webhook_unreachable")
        told = {"object": "webhook_endpoint.test", "webhook_endpoint_id": endpoint.id, "event_type": event}
        return Reply(200, {**told, "status_code": attempt["status"], "success": True})

    def list_webhook_event_types(self, request: Request) -> Reply:
        """`GET /webhook_event_types`."""
        return Reply(200, {"object": "list", "data": [*EVENTS[OPENAI]]})

    def _endpoint(self, request: Request, form: Form | None = None) -> Endpoint:
        found = self.endpoints.get(request.tenant, request.path["id"])
        if form is not None and found.form != form:
            raise NotFound("There is no such endpoint.", param="id")
        return found

    def _register(self, request: Request, new: NewEndpoint) -> tuple[Endpoint, str]:
        now, once = now_ms(), asked_once(request, lambda: 0)
        if (key := once.get("key")) is not None:
            check_key(key)  # before it is hashed
            endpoint_id = f"{ENDPOINT}{hashlib.sha256(f'{request.tenant} {key}'.encode()).hexdigest()[:32]}"
            return self.endpoints.register(request.tenant, new, endpoint_id, now, key)
        endpoint_id = new_endpoint_id(now)
        if attempt := once.get("attempt"):
            endpoint_id = repeats.take(self.database, request.tenant, attempt, endpoint_id, now).job_id
        return self.endpoints.register(request.tenant, new, endpoint_id, now)

    def _test(self, request: Request, endpoint: Endpoint, event: str) -> Item:
        with self.endpoints.tested(request.tenant, now_ms()):
            return self.test(endpoint, event, now_ms(), request.began + MOST_WAIT_S, request.base_url)

    def _counts(self, endpoint: Endpoint) -> Item:
        return self.endpoints.counts(endpoint.tenant, endpoint.id)

    def _told(self, endpoint: Endpoint, request: Request) -> Reply:
        return Reply(200, shown(endpoint, self._counts(endpoint)))


def _is_full(payload: str, form: Form) -> bool:
    if payload == "full" and form == OPENAI:
        raise InvalidRequest("payload: OpenAI's events have no answers in them.", code="unsupported", param="payload")
    return payload == "full"


def _client(body: ClientCertificateBody | None) -> Any:
    return None if body is None else read(body.certificate, body.private_key, now_ms())


def _time(text: str, param: str) -> int:
    found = moment(text)
    if found is None:
        raise InvalidRequest(f"{param}: it has to be a time (RFC 3339)", code="invalid_field", param=param)
    return found
