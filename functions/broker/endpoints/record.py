"""A registered endpoint: its record, and how its secrets come and go.

| item of the jobs table | holds |
|---|---|
| `ENDPOINTS#{tenant}`, `ENDPOINT#{id}` | the record |
| `ENDPOINTS#{tenant}`, `COUNTS#{id}` | what became of attempts |
| `ENDPOINTS#{tenant}`, `TOTAL` | how many there are, and whether one is tested |
| `ENDPOINT#{id}`, `LOG#{time}#{event}` | a delivery: which note of which job or batch |
| `ENDPOINT#{id}`, `NOTE#DELIVERY#…` | the delivery of a test |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from broker.clock import new_id
from broker.delivery.client_certificates import Identity, Known
from broker.delivery.owners import ENDPOINT
from broker.jobs.head import JOB_ID
from broker.storage import If, Item, Put

Form = Literal["native", "openai"]
"""Whose words its events are told in: the broker's own, or those that OpenAI's packages read."""

OVERLAP_MS = 86_400_000
"""How long a secret that was rotated still signs beside the new one."""

MOST_SECRETS = 3
"""That sign at once; of those that were rotated, the oldest goes first."""

BY_OWNER, BY_RECEIVER, BY_FAILURE = "owner", "receiver", "failing"
"""Who disabled an endpoint: its tenant, its receiver by its reply, or five days of failures."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret as it is kept: encrypted, and until when (milliseconds) it signs; None for the present one."""

    sealed: bytes
    until: int | None = None
    public: str | None = None
    """Of a private key, the public one."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What an endpoint's receiver knows the broker by."""

    chain: str
    """PEM; receivers see it, so it is no secret."""
    key: bytes
    """Its key, encrypted."""
    known: Known

    def item(self) -> Item:
        """As it is stored."""
        known = self.known
        shown = {"subject": known.subject, "sha256": known.sha256, "expires_at": known.expires_at}
        return {"chain": self.chain, "key": self.key, **shown}

    @classmethod
    def of(cls, item: Item) -> Self:
        """Read the stored form."""
        known = Known(item["subject"], item["sha256"], int(item["expires_at"]))
        return cls(item["chain"], bytes(item["key"]), known)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. Times are milliseconds."""

    id: str
    tenant: str
    form: Form
    url: str
    events: tuple[str, ...]
    """Each by its whole name."""
    name: str
    created_at: int
    updated_at: int
    secrets: tuple[Secret, ...]
    """Newest first."""
    hint: str
    """The end of the present secret."""
    headers: bytes | None = None
    """What its receiver wants beside ours, encrypted: names and values, as JSON."""
    header_names: tuple[str, ...] = ()
    client: ClientCertificate | None = None
    full: bool = False
    """Whether it is told answers, as far as they fit."""
    off: str | None = None
    """Who disabled it; None while it is enabled."""
    off_at: int | None = None
    rev: int = 1
    """Counts the writes, and is the condition of each."""

    @property
    def takes_more(self) -> bool:
        """True where events are kept for it: also while it is disabled without its owner having wished that."""
        return self.off != BY_OWNER

    def signing(self, now: int) -> tuple[Secret, ...]:
        """The secrets that sign at a time, newest first."""
        return tuple(each for each in self.secrets if each.until is None or each.until > now)

    @property
    def is_asymmetric(self) -> bool:
        """True where a key signs beside the secret."""
        return any(each.public and each.until is None for each in self.secrets)

    def with_secrets(self, new: Sequence[Secret], hint: str, now: int, *, keeps_old: bool) -> Self:
        """After a rotation."""
        old = [replace(each, until=each.until or now + OVERLAP_MS) for each in self.signing(now)] if keeps_old else []
        shared = [each for each in old if not each.public][: MOST_SECRETS - 1]
        keys = [each for each in old if each.public][: MOST_SECRETS - 1]
        return self.next(now, secrets=(*new, *shared, *keys), hint=hint)

    def disabled(self, by: str, now: int) -> Self:
        """The same where it is disabled already."""
        return self if self.off else self.next(now, off=by, off_at=now)

    def next(self, now: int, **changes: Any) -> Self:
        """The record after one more write."""
        return replace(self, rev=self.rev + 1, updated_at=now, **changes)

    def put(self) -> Put:
        """The write of it: of a new one, or over the revision before."""
        item: Item = {
            "pk": endpoints_pk(self.tenant),
            "sk": endpoint_sk(self.id),
            **{name: getattr(self, name) for name in PLAIN if getattr(self, name) is not None},
            "events": list(self.events),
            **({"headers": self.headers, "header_names": list(self.header_names)} if self.headers else {}),
            **({"client": self.client.item()} if self.client else {}),
            "secrets": [
                {name: value for name, value in zip(KEPT, (each.sealed, each.until, each.public), strict=True) if value}
                for each in self.secrets
            ],
        }
        known = If("pk", "absent") if self.rev == 1 else If("rev", "=", self.rev - 1)
        return Put("jobs", item, (known,))

    @classmethod
    def of(cls, item: Item) -> Self:
        """Read the stored form."""
        known = {name: item[name] for name in PLAIN if name in item}
        secrets = tuple(
            Secret(bytes(each["sealed"]), each.get("until"), each.get("public")) for each in item["secrets"]
        )
        if "headers" in item:
            known |= {"headers": bytes(item["headers"]), "header_names": tuple(item["header_names"])}
        if "client" in item:
            known["client"] = ClientCertificate.of(item["client"])
        return cls(**known, tenant=item["pk"].partition("#")[2], events=tuple(item["events"]), secrets=secrets)


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """What a registration says."""

    form: Form
    url: str
    events: tuple[str, ...]
    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """What its receiver wants beside ours."""
    client: tuple[Identity, Known] | None = None
    """The client certificate by which its receiver knows us (`client_certificates.read`)."""
    full: bool = False
    """Whether it is told answers, as far as they fit."""
    asymmetric: bool = False
    """Whether a key signs beside the secret."""

    def made(self, found: Endpoint) -> bool:
        """Whether an endpoint is what this registration made, as far as that can be seen without opening it."""
        same = all(getattr(found, name) == getattr(self, name) for name in ("form", "url", "events", "name", "full"))
        known = self.client and self.client[1]
        return (
            same
            and set(found.header_names) == set(self.headers)
            and found.is_asymmetric == self.asymmetric
            and (found.client and found.client.known) == known
        )


KEPT = ("sealed", "until", "public")
PLAIN = ("id", "form", "url", "name", "created_at", "updated_at", "hint", "off", "off_at", "rev", "full")


def endpoints_pk(tenant: str) -> str:
    """The partition of a tenant's endpoints."""
    return f"ENDPOINTS#{tenant}"


def endpoint_sk(endpoint_id: str) -> str:
    """Of a record."""
    return f"ENDPOINT#{endpoint_id}"


def counts_sk(endpoint_id: str) -> str:
    """Of what became of attempts."""
    return f"COUNTS#{endpoint_id}"


def new_endpoint_id(now: int) -> str:
    """A new one; ids sort by age."""
    return new_id(ENDPOINT, now)


def well_formed(endpoint_id: str) -> bool:
    """Whether a text may be looked for as an id."""
    return endpoint_id.startswith(ENDPOINT) and JOB_ID.fullmatch(endpoint_id) is not None


def told_of(secret: str) -> str:
    """What may be shown of a secret that was given out: its last four letters."""
    return f"whsec_…{secret[-4:]}"
