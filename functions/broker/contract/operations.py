"""What clients may ask the REST API, route by route; operators' routes are in `admin_operations`."""

from broker.context.conversations import MOST_TURNS
from broker.contract.anthropic import AnthropicModel, AnthropicModelList
from broker.contract.anthropic_operations import ANTHROPIC_OPERATIONS
from broker.contract.batch_operations import BATCH_OPERATIONS
from broker.contract.bulk import BULK_OPERATIONS
from broker.contract.common import EXAMPLE_JOB
from broker.contract.conversations import CONVERSATION_OPERATIONS
from broker.contract.endpoint_operations import ENDPOINT_OPERATIONS
from broker.contract.file_operations import FILE_OPERATIONS
from broker.contract.guardrails import TrialOutcome
from broker.contract.limits import LimitList
from broker.contract.mcp import MCP_OPERATIONS
from broker.contract.models import Estimate, Model, ModelList
from broker.contract.openai_media import MEDIA_OPERATIONS
from broker.contract.openai_operations import OPENAI_OPERATIONS
from broker.contract.operation import LIMITED, Operation, parameter
from broker.contract.prompt_runs import PromptList, PromptRun
from broker.contract.replies import GoneJob, Job, JobList, Redelivery
from broker.contract.reviews import FeedbackGiven
from broker.contract.timeline import Timeline
from broker.contract.turns import Conversation
from broker.contract.usage import USAGE_OPERATION
from broker.doors.anthropic import MOST_LISTED as MOST_MODELS
from broker.doors.anthropic import USUAL_PAGE
from broker.jobs.head import Status
from broker.jobs.pages import MAX_PAGE
from broker.jobs.request import JobRequest
from broker.jobs.searching import DOORS
from broker.jobs.trial import Trial
from broker.prompts.listing import MOST_LISTED
from broker.rest.api import INCLUDED, MOST_WAIT_S
from broker.reviews.bodies import Feedback

JOB_ID = parameter("path", "id", "The job.", {"type": "string"}, required=True, example=EXAMPLE_JOB)

PROMPT_ID = parameter("path", "id", "The prompt.", {"type": "string"}, required=True, example="summarize")

CONVERSATION_ID = parameter("path", "id", "The conversation.", {"type": "string"}, required=True, example="chat-17")

MODEL_ID = parameter("path", "id", "The model.", {"type": "string"}, required=True, example="gpt-4o-mini")

MODEL_PAGE = (
    parameter(
        "header",
        "Anthropic-Version",
        "Any text: models are then told in Anthropic's form, in pages.",
        {"type": "string"},
    ),
    parameter(
        "query",
        "limit",
        "Models on a page of that form.",
        {"type": "integer", "minimum": 1, "maximum": MOST_MODELS, "default": USUAL_PAGE},
    ),
    parameter("query", "after_id", "The last model of the page before.", {"type": "string"}),
    parameter("query", "before_id", "The first model of the page behind; not with `after_id`.", {"type": "string"}),
)

TURNS_PAGE = (
    parameter(
        "query", "limit", "Turns on a page.", {"type": "integer", "minimum": 1, "maximum": MOST_TURNS, "default": 20}
    ),
    parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"}),
)

SUBMISSION = (
    parameter(
        "header",
        "Idempotency-Key",
        "The same key with the same body gives the same job, for a day.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    parameter(
        "header",
        "Prefer",
        f"`wait=n`: answer with the finished job if it ends within n seconds, at most {MOST_WAIT_S} (RFC 7240).",
        {"type": "string"},
        example="wait=20",
    ),
    parameter(
        "header",
        "X-Stainless-Retry-Count",
        "Which try of a call this is, from 0: a repeat of the same bytes within ten minutes gets the job of the first. "
        "What is no number of up to three digits counts for nothing.",
        {"type": "string"},
    ),
)

TIME = {"type": "string", "format": "date-time"}

WANTED = (
    parameter("query", "status", "Only jobs that stand so.", {"type": "string", "enum": [*Status]}),
    parameter("query", "application", "Only jobs that this application asked for.", {"type": "string"}),
    parameter("query", "model", "Only of this model: that answered, or was named.", {"type": "string"}),
    parameter("query", "prompt", "Only of this stored prompt.", {"type": "string"}),
    parameter("query", "door", "Only of those that came by this door.", {"type": "string", "enum": [*DOORS]}),
    parameter("query", "tag", "Only with this in their metadata: `key=value`.", {"type": "string"}, example="order=17"),
    parameter("query", "created_after", "Only of those that were accepted then or later.", TIME),
    parameter("query", "created_before", "Only of those that were accepted earlier.", TIME),
)
"""Which jobs of a list are wanted."""

LIST_SIZE = parameter(
    "query", "limit", "Jobs on a page.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 20}
)

PAGE = (
    *WANTED,
    LIST_SIZE,
    parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"}),
)

PROMPTS_PAGE = (
    parameter(
        "query", "limit", "Prompts on a page.", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 20}
    ),
    parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"}),
)

WAIT = parameter(
    "query",
    "wait",
    "Long poll: answer when the job has ended, or after so many seconds.",
    {"type": "integer", "minimum": 0, "maximum": MOST_WAIT_S, "default": 0},
)

INCLUDE = parameter(
    "query",
    "include",
    "More of the job, by commas: `route` tells of every registered model why it was taken or left out, `queue` where a "
    "queued job stands.",
    {"type": "string", "pattern": f"^ *({'|'.join(INCLUDED)}) *(, *({'|'.join(INCLUDED)}) *)*$"},
)

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/jobs"): Operation(
        "Submit a job",
        "jobs",
        {200: Job, 202: Job},
        errors=(400, 402, 404, 409, 413, 422),
        parameters=SUBMISSION,
        body=JobRequest,
        headers=("Location", "Preference-Applied", "Idempotent-Replayed", *LIMITED),
    ),
    ("GET", "/jobs"): Operation("List jobs, newest first", "jobs", {200: JobList}, errors=(400,), parameters=PAGE),
    ("GET", "/jobs/{id}"): Operation(
        "Get a job",
        "jobs",
        {200: Job, 410: GoneJob},
        errors=(400, 404),
        parameters=(JOB_ID, WAIT, INCLUDE),
    ),
    ("DELETE", "/jobs/{id}"): Operation(
        "Erase prompt, answer and metadata of an ended job, and its turn of its conversation",
        "jobs",
        {204: None},
        errors=(400, 404),
        parameters=(JOB_ID,),
    ),
    ("POST", "/jobs/{id}/cancel"): Operation(
        "Cancel a job", "jobs", {200: Job}, errors=(404, 409), parameters=(JOB_ID,)
    ),
    ("GET", "/jobs/{id}/events"): Operation(
        "What happened to a job, in order", "jobs", {200: Timeline}, errors=(404,), parameters=(JOB_ID,)
    ),
    ("POST", "/jobs/{id}/redeliver"): Operation(
        "Send a job's webhooks once more", "jobs", {202: Redelivery}, errors=(400, 404), parameters=(JOB_ID,)
    ),
    ("POST", "/jobs/{id}/feedback"): Operation(
        "Say what guardrails found wrongly, or missed",
        "jobs",
        {201: FeedbackGiven},
        errors=(400, 404, 409, 413),
        parameters=(JOB_ID,),
        body=Feedback,
    ),
    ("GET", "/prompts"): Operation(
        "List the stored prompts that the tenant may run",
        "prompts",
        {200: PromptList},
        errors=(400, 503),
        parameters=PROMPTS_PAGE,
    ),
    ("POST", "/prompts/{id}/run"): Operation(
        "Submit a job from a stored prompt and its variables",
        "prompts",
        {200: Job, 202: Job},
        errors=(400, 402, 404, 409, 413, 422),
        parameters=(PROMPT_ID, *SUBMISSION),
        body=PromptRun,
        headers=("Location", "Preference-Applied", "Idempotent-Replayed", *LIMITED),
    ),
    ("GET", "/conversations/{id}/turns"): Operation(
        "List the turns that are kept of a conversation, newest first",
        "conversations",
        {200: Conversation},
        errors=(400, 404),
        parameters=(CONVERSATION_ID, *TURNS_PAGE),
    ),
    ("DELETE", "/conversations/{id}/turns"): Operation(
        "Erase a conversation: its turns, and the summary of them",
        "conversations",
        {204: None},
        parameters=(CONVERSATION_ID,),
    ),
    ("POST", "/guardrails/check"): Operation(
        "Try a text against the guardrail policies, without a job; nothing is kept",
        "guardrails",
        {200: TrialOutcome},
        errors=(400, 404, 413),
        body=Trial,
    ),
    ("POST", "/estimates"): Operation(
        "Who would do a job and what it would cost, without running or holding anything",
        "models",
        {200: Estimate},
        errors=(400, 402, 404, 413),
        body=JobRequest,
    ),
    ("GET", "/models"): Operation(
        "List the models that the tenant may use",
        "models",
        {200: ModelList},
        errors=(400,),
        parameters=MODEL_PAGE,
        by_either_header=True,
        in_dialect=AnthropicModelList,
    ),
    ("GET", "/models/{id}"): Operation(
        "Get a model that the tenant may use",
        "models",
        {200: Model},
        errors=(404,),
        parameters=(MODEL_ID,),
        by_either_header=True,
        in_dialect=AnthropicModel,
    ),
    ("GET", "/limits"): Operation(
        "The limits of the tenant and of the key, and how they stand", "jobs", {200: LimitList}
    ),
    ("GET", "/usage"): USAGE_OPERATION,
    **ANTHROPIC_OPERATIONS,
    **OPENAI_OPERATIONS,
    **CONVERSATION_OPERATIONS,
    **MEDIA_OPERATIONS,
    **FILE_OPERATIONS,
    **ENDPOINT_OPERATIONS,
    **BATCH_OPERATIONS,
    **BULK_OPERATIONS,
    **MCP_OPERATIONS,
}
"""By method and path, as `ROUTES`."""
