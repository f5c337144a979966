"""The routes of `/v1/admin`: what operators change, over the same code as the `broker` command.

API Gateway lets in who signs with IAM credentials and may call them (`execute-api:Invoke`); there are no scopes here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from urllib.parse import unquote

from broker.audit.reading import Asked, Trail
from broker.clock import now_ms
from broker.errors import Conflict, Forbidden, InvalidRequest, NotFound
from broker.prompts.experiments import compare
from broker.registry.applying import apply, shown
from broker.registry.document import parse_arms, parse_entry, parse_registry, parse_rollback
from broker.registry.plan import make_plan, plan_entry, plan_label, plan_rollback
from broker.registry.records import Change, Record
from broker.registry.versions import Registry
from broker.rest.admin_jobs import JOB_ROUTES, OperatorsJobs
from broker.rest.audited import note_reply
from broker.rest.http import Reply, Request
from broker.rest.reviews import REVIEW_ROUTES, Reviews
from broker.storage import Database


@dataclass(frozen=True, slots=True)
class Admin:
    """The operators' door."""

    database: Database
    registry: Registry
    reviews: Reviews
    allow_unsigned: bool = False
    """On the embedded cloud, which knows no callers."""
    trail: Callable[[], Trail | None] = lambda: None
    """The audit trail, where there is one."""

    def __call__(self, request: Request) -> Reply:
        """Answer one call.

        Raises:
            BrokerError: in the public form by `error_reply`.
        """
        if not request.principal and not self.allow_unsigned:
            raise Forbidden("The call is not signed with IAM credentials.", code="not_signed")
        answer = ADMIN_ROUTES.get((request.method, request.resource))
        if answer is None:
            from broker.rest.elsewhere import answer_elsewhere

            return answer_elsewhere(request, ADMIN_ROUTES, self)
        reply = answer(self, request)
        note_reply(request, reply)
        return reply

    def read_audit(self, request: Request) -> Reply:
        """`GET /admin/audit`: the audit trail, the newest records first."""
        trail = self.trail()
        if trail is None:
            raise NotFound("The stack keeps no audit trail; deploy it with Audit=on.", code="audit_off")
        query = request.query
        asked = Asked(query.get("tenant"), query.get("kind"), _time(request, "from"), _time(request, "to"))
        return Reply(200, trail.page(asked, request.number("limit", 100), query.get("cursor") or None))

    def list_entries(self, request: Request) -> Reply:
        """`GET /admin/registry/{kind}`."""
        return _listed(list(self.registry.all(request.path["kind"]).values()))

    def get_entry(self, request: Request) -> Reply:
        """`GET /admin/registry/{kind}/{id}`, as it stands or with `?version=n` as it was."""
        number = request.number("version", 0) or None
        return _one(self.registry.get(*_named(request), number))

    def put_entry(self, request: Request) -> Reply:
        """`PUT /admin/registry/{kind}/{id}`, with `If-Match` only over the version that it names."""
        kind, entry_id = _named(request)
        entry = parse_entry(kind, request.json())
        if entry.key != entry_id:
            raise InvalidRequest(f"The body is the entry {entry.key!r}, not {entry_id!r}.", param="id")
        return self._written(plan_entry(self.registry, kind, entry), request)

    def list_versions(self, request: Request) -> Reply:
        """`GET /admin/registry/{kind}/{id}/versions`, the newest first."""
        return _listed(self.registry.history(*_named(request)))

    def roll_back(self, request: Request) -> Reply:
        """`POST /admin/registry/{kind}/{id}/rollback`: a new version with the content of an older one."""
        version = parse_rollback(request.json())
        return self._written(plan_rollback(self.registry, *_named(request), version), request)

    def plan(self, request: Request) -> Reply:
        """`POST /admin/plan`: what a document would change."""
        document = parse_registry(request.json())
        return Reply(200, shown(make_plan(self.registry, document, prune=_prune(request))))

    def apply(self, request: Request) -> Reply:
        """`POST /admin/apply`: change it, and say what was done."""
        document = parse_registry(request.json())
        plan = apply(self.registry, document, by=_by(request), now=now_ms(), prune=_prune(request))
        return Reply(200, shown(plan))

    def get_labels(self, request: Request) -> Reply:
        """`GET /admin/prompts/{id}/labels`; version 0 where the prompt has had none."""
        prompt_id = self._prompt(request)
        return _labels(prompt_id, self.registry.find("labels", prompt_id))

    def put_label(self, request: Request) -> Reply:
        """`PUT /admin/prompts/{id}/labels/{label}`: point a label to versions, or with no arms take it away."""
        prompt_id = self._prompt(request)
        change = plan_label(self.registry, prompt_id, unquote(request.path["label"]), parse_arms(request.json()))
        return _labels(prompt_id, self._write(change, "labels", prompt_id, request))

    def compare_versions(self, request: Request) -> Reply:
        """`GET /admin/prompts/{id}/experiments`: what came of the prompt's versions, side by side."""
        return Reply(200, compare(self.database, self._prompt(request)))

    def can(self, request: Request) -> Reply:
        """`POST /admin/can`: whether somebody may do something, and why."""
        from broker.rest.permission_checks import Explains

        return Explains(self.database)(request)

    def _prompt(self, request: Request) -> str:
        """The id of a prompt that there is."""
        return self.registry.get("prompts", unquote(request.path["id"])).id

    def _written(self, change: Change | None, request: Request) -> Reply:
        kind, entry_id = _named(request)
        record = self._write(change, kind, entry_id, request)
        return _one(record or self.registry.get(kind, entry_id))

    def _write(self, change: Change | None, kind: str, entry_id: str, request: Request) -> Record | None:
        """Write one change, if there is one; the entry as it stands then."""
        if change is None:
            stands = self.registry.find(kind, entry_id)
            _check_match(request, stands.version if stands else 0)
            return stands
        _check_match(request, change.base)
        return self.registry.write(change, _by(request), now_ms())


def _of_reviews(answer: Callable[[Reviews, Request], Reply]) -> Callable[[Admin, Request], Reply]:
    @wraps(answer)
    def answered(admin: Admin, request: Request) -> Reply:
        return answer(admin.reviews, request)

    return answered


def _of_jobs(answer: Callable[[OperatorsJobs, Request], Reply]) -> Callable[[Admin, Request], Reply]:
    @wraps(answer)
    def answered(admin: Admin, request: Request) -> Reply:
        return answer(OperatorsJobs(admin.reviews.jobs, admin.reviews.payloads, admin.registry), request)

    return answered


def _named(request: Request) -> tuple[str, str]:
    """Kind and id; an id may hold what a path cannot, percent-encoded."""
    return request.path["kind"], unquote(request.path["id"])


def _by(request: Request) -> str:
    return request.principal or "local"


def _prune(request: Request) -> bool:
    text = request.query.get("prune", "false")
    if text not in ("true", "false"):
        raise InvalidRequest("prune is true or false.", param="prune")
    return text == "true"


def _time(request: Request, name: str) -> int | None:
    """A time of the query, in milliseconds (RFC 3339; a date alone is its midnight in UTC)."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} is a time such as 2026-12-01T08:00:00Z.", param=name) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _check_match(request: Request, version: int) -> None:
    """Hold `If-Match` (RFC 9110, section 13.1.1) against the version that was read."""
    wanted = request.headers.get("if-match", "*").strip()
    if wanted not in ("*", _tag(version)):
        raise Conflict(f"The entry stands at version {version}.", code="changed_meanwhile", param="If-Match")


def _tag(version: int) -> str:
    return f'"{version}"'


def _one(record: Record) -> Reply:
    return Reply(200, record.to_dict(), {"etag": _tag(record.version)})


def _labels(prompt_id: str, record: Record | None) -> Reply:
    content, version = (record.content, record.version) if record else ({"id": prompt_id}, 0)
    labels = parse_entry("labels", content).item()["labels"]
    body = {"object": "labels", "id": prompt_id, "version": version, "labels": labels}
    return Reply(200, body, {"etag": _tag(version)})


def _listed(records: list[Record]) -> Reply:
    return Reply(200, {"object": "list", "data": [record.listed() for record in records]})


ADMIN_ROUTES: dict[tuple[str, str], Callable[[Admin, Request], Reply]] = {
    ("GET", "/admin/registry/{kind}"): Admin.list_entries,
    ("GET", "/admin/registry/{kind}/{id}"): Admin.get_entry,
    ("PUT", "/admin/registry/{kind}/{id}"): Admin.put_entry,
    ("GET", "/admin/registry/{kind}/{id}/versions"): Admin.list_versions,
    ("POST", "/admin/registry/{kind}/{id}/rollback"): Admin.roll_back,
    ("POST", "/admin/plan"): Admin.plan,
    ("POST", "/admin/apply"): Admin.apply,
    ("POST", "/admin/can"): Admin.can,
    ("GET", "/admin/prompts/{id}/labels"): Admin.get_labels,
    ("PUT", "/admin/prompts/{id}/labels/{label}"): Admin.put_label,
    ("GET", "/admin/prompts/{id}/experiments"): Admin.compare_versions,
    **{route: _of_jobs(answer) for route, answer in JOB_ROUTES.items()},
    ("GET", "/admin/audit"): Admin.read_audit,
    **{route: _of_reviews(answer) for route, answer in REVIEW_ROUTES.items()},
}
"""By method and resource."""
