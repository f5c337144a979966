"""The operators' routes, as the OpenAPI document describes them."""

from broker.audit.record import KINDS as AUDIT_KINDS
from broker.contract.admin import (
    AnyEntry,
    EntryList,
    EntryVersion,
    Experiment,
    PermissionAnswer,
    PromptLabels,
    RegistryPlan,
)
from broker.contract.admin_jobs import JOB_OPERATIONS
from broker.contract.audit import AuditRecords
from broker.contract.common import EXAMPLE_JOB
from broker.contract.operation import Operation, parameter
from broker.contract.reviews import FeedbackList, LabelledRows, Review, ReviewDetail, ReviewList
from broker.registry.document import KINDS, RegistryFile, Rollback
from broker.registry.label_entry import LabelArms
from broker.registry.permission_check import PermissionQuestion
from broker.reviews.bodies import Claim, Decision
from broker.reviews.record import STATES

KIND = parameter("path", "kind", "The kind of entry.", {"type": "string", "enum": list(KINDS)}, required=True)
ENTRY = (KIND, parameter("path", "id", "The entry's id, percent-encoded.", {"type": "string"}, required=True))
PROMPT = parameter("path", "id", "The prompt's id, percent-encoded.", {"type": "string"}, required=True)
LABEL = parameter("path", "label", "`production` or the operators' own.", {"type": "string"}, required=True)
MATCH = parameter("header", "If-Match", "Only over this version (RFC 9110).", {"type": "string"}, example='"3"')
VERSION = parameter(
    "query", "version", "As it was; as it stands where it is left out.", {"type": "integer", "minimum": 1}
)
PRUNE = parameter(
    "query",
    "prune",
    "Disable what stands and is not in the document, of the kinds that it has.",
    {"type": "boolean", "default": False},
)

JOB = parameter("path", "job_id", "The job.", {"type": "string"}, required=True, example=EXAMPLE_JOB)
TENANT = parameter("query", "tenant", "Only of this tenant.", {"type": "string"})
STAGE = parameter("query", "stage", "Only requests, or only answers.", {"type": "string", "enum": ["input", "output"]})
STATE = parameter(
    "query", "state", "Only those that stand so.", {"type": "string", "enum": [*STATES], "default": "held"}
)
PAGE = (
    parameter("query", "limit", "Of one page.", {"type": "integer", "minimum": 1, "default": 20}),
    parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"}),
)

AUDIT = (
    TENANT,
    parameter("query", "kind", "Only of this kind.", {"type": "string", "enum": [*AUDIT_KINDS]}),
    parameter("query", "from", "Put on record then or later.", {"type": "string", "format": "date-time"}),
    parameter("query", "to", "Put on record before.", {"type": "string", "format": "date-time"}),
    parameter("query", "limit", "Of one page.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    PAGE[1],
)

ADMIN_OPERATIONS: dict[tuple[str, str], Operation] = {
    **JOB_OPERATIONS,
    ("GET", "/admin/registry/{kind}"): Operation(
        "List the entries of a kind", "admin", {200: EntryList}, parameters=(KIND,)
    ),
    ("GET", "/admin/registry/{kind}/{id}"): Operation(
        "Get an entry, or a version of it",
        "admin",
        {200: EntryVersion},
        errors=(400,),
        parameters=(*ENTRY, VERSION),
        headers=("ETag",),
    ),
    ("PUT", "/admin/registry/{kind}/{id}"): Operation(
        "Add an entry or change it; nothing is written where nothing changes",
        "admin",
        {200: EntryVersion},
        errors=(400, 409, 413),
        parameters=(*ENTRY, MATCH),
        body=AnyEntry,
        headers=("ETag",),
    ),
    ("GET", "/admin/registry/{kind}/{id}/versions"): Operation(
        "List the versions of an entry, the newest first", "admin", {200: EntryList}, parameters=ENTRY
    ),
    ("POST", "/admin/registry/{kind}/{id}/rollback"): Operation(
        "Give an entry the content of an older version, as a new one",
        "admin",
        {200: EntryVersion},
        errors=(400, 409, 413),
        parameters=(*ENTRY, MATCH),
        body=Rollback,
        headers=("ETag",),
    ),
    ("POST", "/admin/plan"): Operation(
        "Show what a registry document would change",
        "admin",
        {200: RegistryPlan},
        errors=(400, 413),
        parameters=(PRUNE,),
        body=RegistryFile,
    ),
    ("POST", "/admin/apply"): Operation(
        "Change what a registry document changes",
        "admin",
        {200: RegistryPlan},
        errors=(400, 409, 413),
        parameters=(PRUNE,),
        body=RegistryFile,
    ),
    ("POST", "/admin/can"): Operation(
        "Ask whether somebody may do something, and why",
        "admin",
        {200: PermissionAnswer},
        errors=(400,),
        body=PermissionQuestion,
    ),
    ("GET", "/admin/prompts/{id}/labels"): Operation(
        "Get a prompt's labels", "admin", {200: PromptLabels}, parameters=(PROMPT,), headers=("ETag",)
    ),
    ("PUT", "/admin/prompts/{id}/labels/{label}"): Operation(
        "Point a label to versions with shares of its traffic, or take it away",
        "admin",
        {200: PromptLabels},
        errors=(400, 409, 413),
        parameters=(PROMPT, LABEL, MATCH),
        body=LabelArms,
        headers=("ETag",),
    ),
    ("GET", "/admin/prompts/{id}/experiments"): Operation(
        "Compare what came of a prompt's versions", "admin", {200: Experiment}, parameters=(PROMPT,)
    ),
    ("GET", "/admin/audit"): Operation(
        "List the audit trail, the newest records first", "admin", {200: AuditRecords}, errors=(400,), parameters=AUDIT
    ),
    ("GET", "/admin/reviews"): Operation(
        "List the jobs that are held, the longest first, or reviews that are over, the newest first",
        "admin",
        {200: ReviewList},
        errors=(400,),
        parameters=(TENANT, STAGE, STATE, *PAGE),
    ),
    ("GET", "/admin/reviews/{job_id}"): Operation(
        "Get a job's review, with the texts to judge", "admin", {200: ReviewDetail}, parameters=(JOB,)
    ),
    ("POST", "/admin/reviews/{job_id}/claim"): Operation(
        "Keep a review to oneself for a quarter of an hour",
        "admin",
        {200: Review},
        errors=(400, 409),
        parameters=(JOB,),
        body=Claim,
    ),
    ("POST", "/admin/reviews/{job_id}/release"): Operation(
        "Let a held job go on from where it stopped",
        "admin",
        {200: Review},
        errors=(400, 409),
        parameters=(JOB,),
        body=Decision,
    ),
    ("POST", "/admin/reviews/{job_id}/reject"): Operation(
        "End a held job as blocked",
        "admin",
        {200: Review},
        errors=(400, 409),
        parameters=(JOB,),
        body=Decision,
    ),
    ("GET", "/admin/feedback"): Operation(
        "List what was said of findings, the newest first",
        "admin",
        {200: FeedbackList},
        errors=(400,),
        parameters=(TENANT, *PAGE),
    ),
    ("GET", "/admin/feedback/rows"): Operation(
        "The same as labelled rows, for the next tuning",
        "admin",
        {200: LabelledRows},
        errors=(400,),
        parameters=(TENANT, *PAGE),
    ),
}
"""By method and path, as `ADMIN_ROUTES`."""
