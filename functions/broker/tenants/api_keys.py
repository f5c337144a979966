"""API keys: 256 random bits, shown once; only a hash is stored.

A key is `ib_`, 43 characters of base64url, and 8 hexadecimal digits of CRC-32. The checksum tells a mistyped key from
an unknown one without a read, and lets secret scanners be sure of what they found. A plain SHA-256 is enough of a hash,
for there is nothing to guess in 256 random bits.

Stored in the table `registry` as pk `KEY#<hash>`, sk `KEY`: tenant, principal, scopes, status, created_at, valid_until,
limits, application; and once more for those who list a tenant's keys, as pk `KEYS#<tenant>`, sk the beginning of the
hash, with all of it as `digest`.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import Mapping

from broker.storage import Database, If, Item, Put, Update

PREFIX = "ib_"
FORM = re.compile(r"ib_[A-Za-z0-9_-]{43}[0-9a-f]{8}", re.ASCII)


def new_key() -> tuple[str, str]:
    """A new key and its hash."""
    body = PREFIX + secrets.token_urlsafe(32)
    key = body + _checksum(body)
    return key, key_hash(key)


def well_formed(key: str) -> bool:
    """True when form and checksum are those of a key."""
    return FORM.fullmatch(key) is not None and _checksum(key[:-8]) == key[-8:]


def key_hash(key: str) -> str:
    """SHA-256, as 64 hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_item(
    digest: str,
    *,
    tenant: str,
    principal: str,
    scopes: tuple[str, ...],
    created_at: int,
    expires_at: int | None,
    limits: Mapping[str, int] | None = None,
    application: str | None = None,
    by: str = "",
) -> Item:
    """The stored form; times in milliseconds, `expires_at` None for a key without an end, `by` who made it.

    `limits` are its own, by the fields of a registry's entry; `application` is the tenant's that it belongs to.
    """
    item: Item = {
        "pk": f"KEY#{digest}",
        "sk": "KEY",
        "tenant": tenant,
        "principal": principal,
        "scopes": list(scopes),
        "status": "active",
        "created_at": created_at,
        **({"created_by": by} if by else {}),
        **({"limits": dict(limits)} if limits else {}),
        **({"application": application} if application else {}),
    }
    # Not `expires_at`: that is the tables' TTL attribute, in seconds, and an expired key should say why it fails.
    return item if expires_at is None else item | {"valid_until": expires_at}


def key_id(digest: str) -> str:
    """By what people name a key: enough of its hash to tell those of a tenant apart, and nothing of the key."""
    return digest[:16]


def kept(item: Item) -> tuple[Put, Put]:
    """The writes of a new key."""
    return Put("registry", item), _listed(item)


def of_tenant(database: Database, tenant: str) -> list[Item]:
    """The keys of a tenant, by their ids."""
    return database.query("registry", f"KEYS#{tenant}")


def key_of(database: Database, tenant: str, named: str) -> Item | None:
    """A tenant's key by its id; None where there is none."""
    return database.get("registry", f"KEYS#{tenant}", named)


def revocation(item: Item, *, by: str, now: int) -> tuple[Update, Put]:
    """The writes that end a key, from its item; `by` says who, `now` is in milliseconds. May be repeated."""
    facts = {"status": "revoked", "revoked_at": now, "revoked_by": by}
    return Update("registry", item["pk"], item["sk"], set=facts, when=(If("pk", "exists"),)), _listed(item | facts)


def limiting(item: Item, limits: Mapping[str, int]) -> tuple[Update, Put]:
    """The writes that give a key these limits in place of its own, from its item. May be repeated."""
    write = Update("registry", item["pk"], item["sk"], set={"limits": dict(limits)}, when=(If("pk", "exists"),))
    return write, _listed(item | {"limits": dict(limits)})


def _listed(item: Item) -> Put:
    digest = item["pk"].removeprefix("KEY#")
    return Put("registry", {**item, "pk": f"KEYS#{item['tenant']}", "sk": key_id(digest), "digest": digest})


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
