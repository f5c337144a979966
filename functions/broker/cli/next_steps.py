"""What to do about an error of the API: by its code where that says more than its type, and by its type always."""

BY_TYPE = {
    "adapter_failed": "A fault of the broker's, which the logs of invoke_model have; submit the job again meanwhile.",
    "bad_output": "Submit it again, give another --model, or make the output schema looser.",
    "blocked": "`broker jobs explain ID` says which rule, and where; mend the text, or ask for another policy.",
    "budget_exceeded": "Ask for less (max_output_tokens, a cheaper model), or have the tenant's budget raised.",
    "canceled": "Somebody canceled it; submit it again where it is wanted after all.",
    "conflict": "Somebody was faster: look at how it stands now, and repeat.",
    "context_exceeded": "Shorten the input, name a context strategy, or take a model with a larger window.",
    "credential_rejected": "Operators: `broker doctor`, then `broker secret providers/NAME` with a key that works.",
    "cut_short": "Give the job more timeout_seconds, or fewer fallbacks.",
    "delivery_busy": "An attempt is under way: look at it again in a minute.",
    "expired": "Give it a later deadline_seconds; `broker jobs explain ID` says what it waited for.",
    "forbidden": "Ask for a key that has the scope or the right that the message names.",
    "gone": "It is not kept any more; submit it again, with a longer ttl_seconds where that matters.",
    "idempotency_key_in_flight": "The first request is still being accepted: repeat the same in a second.",
    "idempotency_key_reused": "Take a new key for another request, or send the same body again.",
    "internal_error": "Repeat it once; then tell the operators the request id, which the logs of api have.",
    "invalid_request": "Mend what the message names; the request itself is at fault, so a repeat will not help.",
    "model_gone": "Operators: the provider has no such model for this account; `broker doctor`, then the registry.",
    "not_cancelable": "It has ended: `broker jobs get ID` shows how.",
    "not_found": "Look at the id, and at whose key this is: a list (`broker jobs list`, …) shows what the key may see.",
    "pending": "The provider goes on by itself: wait.",
    "policy_missing": "Operators: register the guardrail policy that the tenant, route or prompt names.",
    "rate_limit_exceeded": "Wait as long as Retry-After says; `GET /v1/limits` shows what is left.",
    "refused": "The provider's safety stop: change the text. It is never tried on another model.",
    "rejected": "This model does not take such a request: another --model, or without what the message names.",
    "throttled": "The provider asks for less: wait, add a fallback, or have its quota raised.",
    "timed_out": "Give it more timeout_seconds, a faster model, or a shorter answer.",
    "too_many_at_once": "Wait until some have ended, or ask for a higher limit.",
    "truncated": "Raise max_output_tokens.",
    "unauthorized": "Put a key that is valid into BROKER_API_KEY: `broker key TENANT --principal NAME` makes one.",
    "unavailable": "Repeat it in a moment, with the same Idempotency-Key; `broker models` shows open circuits.",
}
"""Of each type that the contract has."""

BY_CODE = {
    "audit_off": "Operators: deploy with Audit=on.",
    "batch_not_planned": "Its rows are still being counted: ask again in a few seconds.",
    "body_too_large": "Put it into a file: `broker files put`, or the inbox bucket.",
    "changed_meanwhile": "Read the entry again, and write over the version that it has now.",
    "endpoint_disabled": "`broker webhooks enable ID`, when its receiver works again.",
    "missing_scope": "Ask for a key with that scope: `broker key TENANT --principal NAME --scopes …`.",
    "model_not_allowed": "`broker models` lists those that the key may use.",
    "no_candidate": "`broker submit … --dry-run` says why each model is left out.",
    "no_deliveries": "The job names no webhook, and no endpoint hears of it: `broker webhooks list`.",
    "not_ended": "Wait for it: `broker jobs wait ID`.",
    "not_signed": "Sign the call with IAM credentials (SigV4, service execute-api).",
    "permission_denied": "The message says which rule, and whom to ask.",
    "tenant_disabled": "Operators: enable the tenant in its registry document, and `broker apply` it.",
    "too_many_queued_jobs": "Wait until some have begun, or have the tenant's queued_jobs raised.",
    "unknown_label": "`broker prompts` lists the prompts; `broker label ID LABEL VERSION` makes a label.",
    "unknown_model": "`broker models` lists the models and aliases that the key may use.",
    "unknown_prompt": "`broker prompts` lists the prompts that there are.",
    "unknown_recipe": "Operators: `broker apply` a document that has the recipe.",
    "unknown_source": "Operators: register the event's account and source, then `broker dlq redrive rejected`.",
    "unknown_tenant": "Operators: `broker apply` a document that has the tenant.",
    "webhook_address_refused": "Give an https address of the public internet, on a usual port.",
}
"""Of codes whose type says too little."""


def next_step(kind: str, code: str) -> str:
    """What to do about an error of this type and code."""
    return BY_CODE.get(code) or BY_TYPE.get(kind) or BY_TYPE["internal_error"]
