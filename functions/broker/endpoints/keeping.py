"""Keeping endpoints: registering, changing, rotating, disabling and deleting them, so many for each tenant.

An endpoint's id is no credential: each is looked for among its tenant's alone, and another's is as unknown as none.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from broker.delivery.addresses import AddressRefused
from broker.delivery.client_certificates import Identity, Known
from broker.delivery.signing import new_key, new_secret
from broker.endpoints.record import (
    BY_OWNER,
    ClientCertificate,
    Endpoint,
    NewEndpoint,
    Secret,
    counts_sk,
    endpoint_sk,
    endpoints_pk,
    told_of,
    well_formed,
)
from broker.errors import InvalidRequest, KeyReused, NotFound, Throttled
from broker.jobs.idempotency import check_key
from broker.storage import ConditionFailed, Contended, Database, Delete, If, Item, Put, Update

MOST = 20
"""Endpoints of a tenant, of both forms: each event is held against all of them."""

REPEATED_MS = 600_000
"""How long a repeat of a registration is told a secret: the first one's may have been lost with its reply."""

TESTED_MS = 30_000
"""Longer than a test takes; it is over before, but for a crash."""

TRIES = 5
"""Of a change that meets another one of the same endpoint."""

TOTAL = "TOTAL"


class Seal(Protocol):
    """Encrypts secrets so that what is kept for one endpoint opens for no other."""

    def seal(self, tenant: str, endpoint_id: str, text: str) -> bytes:
        """Encrypt."""
        ...

    def open(self, tenant: str, endpoint_id: str, sealed: bytes) -> str:
        """The text.

        Raises:
            CredentialRejected: it was not sealed for this endpoint of this tenant.
        """
        ...


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of one deployment's tenants. Times `now` are milliseconds."""

    database: Database
    seal: Callable[[str, str, str], bytes]
    """Of `Seal`: whoever registers opens nothing."""
    check: Callable[[str], None]
    """The address guard, as far as an address can be judged by its form."""

    def register(
        self, tenant: str, new: NewEndpoint, endpoint_id: str, now: int, key: str | None = None
    ) -> tuple[Endpoint, str]:
        """Register one; gives it with its secret, which nobody is told again.

        Args:
            tenant: its own.
            new: what it is to be.
            endpoint_id: the same for each try of one call.
            now: milliseconds.
            key: by which such calls are known, where the client gave one.

        Raises:
            InvalidRequest: its address is refused, or the tenant has no more room.
            KeyReused: the key was used for another endpoint, or so long ago that the secret is not told again.
        """
        if key is not None:
            check_key(key)
        if found := self._get(tenant, endpoint_id):
            if key is not None and (not new.made(found) or found.created_at + REPEATED_MS < now):
                message = f"This key registered the endpoint {endpoint_id}; a secret is told once: rotate it."
                raise KeyReused(message, param="Idempotency-Key")
            return self.rotate(tenant, endpoint_id, now, keeps_old=True)
        self._check(new.url)
        _check_tls(new.url, new.client)
        secret = new_secret()
        endpoint = Endpoint(
            *(endpoint_id, tenant, new.form, new.url, new.events, new.name, now, now),
            secrets=self._secrets(tenant, endpoint_id, secret, asymmetric=new.asymmetric),
            hint=told_of(secret),
            full=new.full,
            client=self._kept(tenant, endpoint_id, new.client),
            **self._sealed(tenant, endpoint_id, new.headers),
        )
        count = Update("jobs", endpoints_pk(tenant), TOTAL, add={"endpoints": 1}, when=(If("endpoints", "<", MOST),))
        for _ in range(2):
            try:
                self.database.write(endpoint.put(), count)
                return endpoint, secret
            except ConditionFailed as error:
                if 0 in error.failed:  # another try of this call was faster
                    return self.rotate(tenant, endpoint_id, now, keeps_old=True)
                self._begin_total(tenant)
        message = f"A tenant has {MOST} endpoints at most; delete one first."
        raise InvalidRequest(message, code="too_many_endpoints")

    def all(self, tenant: str) -> list[Endpoint]:
        """A tenant's endpoints, the oldest first."""
        return [Endpoint.of(item) for item in self.database.query("jobs", endpoints_pk(tenant), endpoint_sk(""))]

    def get(self, tenant: str, endpoint_id: str) -> Endpoint:
        """One of them.

        Raises:
            NotFound: the tenant has none of that id.
        """
        found = self._get(tenant, endpoint_id)
        if found is None:
            raise NotFound("There is no such endpoint.", param="id")
        return found

    def counts(self, tenant: str, endpoint_id: str) -> Item:
        """What became of attempts (`registered.Counting`); empty before the first."""
        return self.database.get("jobs", endpoints_pk(tenant), counts_sk(endpoint_id), eventual=True) or {}

    def change(self, tenant: str, endpoint_id: str, now: int, **facts: Any) -> Endpoint:
        """Change its `url`, `events`, `name`, `headers`, `client` or `full`; nothing is written where nothing changes.

        Raises:
            NotFound: as `get`.
            InvalidRequest: the address is refused, or has no TLS for a client certificate.
        """
        if "url" in facts:
            self._check(facts["url"])
        if "headers" in facts:
            facts |= self._sealed(tenant, self.get(tenant, endpoint_id).id, facts["headers"])
        if "client" in facts:
            facts["client"] = self._kept(tenant, self.get(tenant, endpoint_id).id, facts["client"])

        def changed(endpoint: Endpoint) -> Endpoint:
            _check_tls(facts.get("url", endpoint.url), facts.get("client", endpoint.client))
            same = all(getattr(endpoint, name) == value for name, value in facts.items())
            return endpoint if same else endpoint.next(now, **facts)

        return self._change(tenant, endpoint_id, changed)

    def switch(self, tenant: str, endpoint_id: str, now: int, *, on: bool) -> Endpoint:
        """Enable or disable it by its owner's word; enabled, it has five days again.

        Raises:
            NotFound: as `get`.
        """

        def switched(endpoint: Endpoint) -> Endpoint:
            if on:
                return endpoint.next(now, off=None, off_at=None) if endpoint.off else endpoint
            return endpoint if endpoint.off == BY_OWNER else endpoint.next(now, off=BY_OWNER, off_at=now)

        after = self._change(tenant, endpoint_id, switched)
        if on:
            began, there = ("failing_since",), (If("pk", "exists"),)
            with suppress(ConditionFailed):  # nothing was attempted yet
                self.database.write(
                    Update("jobs", endpoints_pk(tenant), counts_sk(endpoint_id), remove=began, when=there)
                )
        return after

    def disable(self, endpoint: Endpoint, by: str, now: int) -> bool:
        """Disable one that fails, or whose receiver wants no more; False where it is disabled, or gone."""
        done = False

        def disabled(found: Endpoint) -> Endpoint:
            nonlocal done
            done = found.off is None
            return found.disabled(by, now)

        with suppress(NotFound):
            self._change(endpoint.tenant, endpoint.id, disabled)
        return done

    def rotate(self, tenant: str, endpoint_id: str, now: int, *, keeps_old: bool) -> tuple[Endpoint, str]:
        """Give it a new secret, beside which the old one signs for a day, or at once no more.

        Raises:
            NotFound: as `get`.
        """
        secret = new_secret()
        found = self.get(tenant, endpoint_id)  # of what there is not, nothing is sealed
        new = self._secrets(tenant, endpoint_id, secret, asymmetric=found.is_asymmetric)

        def rotated(endpoint: Endpoint) -> Endpoint:
            return endpoint.with_secrets(new, told_of(secret), now, keeps_old=keeps_old)

        return self._change(tenant, endpoint_id, rotated), secret

    def delete(self, tenant: str, endpoint_id: str) -> None:
        """Delete it; what waits for it is not sent any more.

        Raises:
            NotFound: as `get`.
        """
        pk = endpoints_pk(tenant)
        gone = Delete("jobs", pk, endpoint_sk(endpoint_id), (If("pk", "exists"),))
        try:
            if not well_formed(endpoint_id):
                raise ConditionFailed([0])
            self.database.write(
                gone, Delete("jobs", pk, counts_sk(endpoint_id)), Update("jobs", pk, TOTAL, add={"endpoints": -1})
            )
        except ConditionFailed:
            raise NotFound("There is no such endpoint.", param="id") from None

    @contextmanager
    def tested(self, tenant: str, now: int) -> Iterator[None]:
        """A test of one of the tenant's endpoints, of which there is one at a time: each holds a function.

        Raises:
            Throttled: another one is under way.
        """
        pk = endpoints_pk(tenant)
        until = now + TESTED_MS
        try:
            free = If("testing_until", "<", now)
            self.database.write(Update("jobs", pk, TOTAL, set={"testing_until": until}, when=(free,)))
        except ConditionFailed:
            message = "Another endpoint of the tenant is being tested; try again when that is over."
            raise Throttled(message, code="test_under_way", retry_after=5) from None
        try:
            yield
        finally:
            with suppress(ConditionFailed):
                mine = If("testing_until", "=", until)
                self.database.write(Update("jobs", pk, TOTAL, set={"testing_until": 0}, when=(mine,)))

    def _secrets(self, tenant: str, endpoint_id: str, secret: str, *, asymmetric: bool) -> tuple[Secret, ...]:
        shared = Secret(self.seal(tenant, endpoint_id, secret))
        if not asymmetric:
            return (shared,)
        private, public = new_key()
        return shared, Secret(self.seal(tenant, endpoint_id, private), public=public)

    def _sealed(self, tenant: str, endpoint_id: str, headers: Mapping[str, str]) -> dict[str, Any]:
        if not headers:
            return {"headers": None, "header_names": ()}
        return {"headers": self.seal(tenant, endpoint_id, json.dumps(dict(headers))), "header_names": tuple(headers)}

    def _kept(self, tenant: str, endpoint_id: str, client: tuple[Identity, Known] | None) -> ClientCertificate | None:
        if client is None:
            return None
        identity, known = client
        return ClientCertificate(identity.chain, self.seal(tenant, endpoint_id, identity.key), known)

    def _get(self, tenant: str, endpoint_id: str) -> Endpoint | None:
        if not well_formed(endpoint_id):
            return None
        item = self.database.get("jobs", endpoints_pk(tenant), endpoint_sk(endpoint_id))
        return Endpoint.of(item) if item else None

    def _change(self, tenant: str, endpoint_id: str, decide: Callable[[Endpoint], Endpoint]) -> Endpoint:
        for _ in range(TRIES):
            before = self.get(tenant, endpoint_id)
            after = decide(before)
            if after is before:
                return before
            try:
                self.database.write(after.put())
            except ConditionFailed:
                continue
            return after
        raise Contended([0])

    def _check(self, url: str) -> None:
        try:
            self.check(url)
        except AddressRefused as error:
            raise AddressRefused(error.why, "url") from None

    def _begin_total(self, tenant: str) -> None:
        begun = {"pk": endpoints_pk(tenant), "sk": TOTAL, "endpoints": 0, "testing_until": 0}
        with suppress(ConditionFailed):
            self.database.write(Put("jobs", begun, (If("pk", "absent"),)))


def _check_tls(url: str, client: object) -> None:
    if client and not url.lower().startswith("https:"):  # the embedded cloud takes others
        message = "client_certificate: there is no TLS at this address to show it in."
        raise InvalidRequest(message, code="invalid_field", param="client_certificate")
