"""Calls that clients' packages know and no route answers, with what there is instead.

The tests hold these tables against the packages' own source, and docs/clients.md shows them.
"""

GROUPS: dict[str, str] = {
    "assistants": "assistants, which OpenAI gives up: use responses",
    "threads": "assistants' threads: use responses, and `conversation`",
    "agents": "agents that run at OpenAI",
    "chatkit": "agents that run at OpenAI",
    "audio": "sounds: speech and transcriptions, or jobs of the tasks `speak` and `transcribe`",
    "images": "pictures: generations, or jobs of the task `generate_image`",
    "videos": "videos",
    "moderations": "judging: jobs of the task `moderate`",
    "completions": "completions without messages: use chat completions",
    "containers": "code that runs at OpenAI",
    "skills": "code that runs at OpenAI",
    "vector_stores": "search in OpenAI's stores",
    "fine_tuning": "training",
    "evals": "evaluations at OpenAI",
    "live": "speaking in real time",
    "realtime": "speaking in real time",
    "organization": "an OpenAI organization's users, keys and bills: operators have the registry",
    "projects": "an OpenAI organization's projects: tenants have keys of their own",
    "vaults": "secrets at OpenAI",
    "safety": "what OpenAI says of users",
    "content_provenance_checks": "where a picture came from",
    "decisions": "decisions of OpenAI's agents",
}
"""Of OpenAI's packages, by the first part of the path: groups of calls of which none is answered but those that have a
route."""

ANTHROPIC_GROUPS: dict[str, str] = {
    "agents": "agents that run at Anthropic",
    "compliance": "an Anthropic organization's records: operators have the registry and the logs",
    "deployment_runs": "agents that run at Anthropic",
    "deployments": "agents that run at Anthropic",
    "dreams": "agents that run at Anthropic",
    "environments": "agents that run at Anthropic",
    "memory_stores": "memories at Anthropic: a conversation keeps its turns",
    "organizations": "an Anthropic organization's users, keys, workspaces and bills: operators have the registry",
    "sessions": "agents that run at Anthropic",
    "skills": "code that runs at Anthropic",
    "tunnels": "agents that run at Anthropic",
    "user_profiles": "customers of Anthropic's customers: tenants have keys of their own",
    "vaults": "secrets at Anthropic",
}
"""The same of Anthropic's."""

CALLS: dict[tuple[str, str], str] = {
    ("POST", "/responses/compact"): "`context` of a job shortens what is too long",
    ("GET", "/chat/completions"): "`GET /v1/jobs` lists jobs",
    ("POST", "/chat/completions/{}"): "metadata stay as they came",
    ("GET", "/chat/completions/{}/messages"): "`GET /v1/jobs/{id}` has what came of it; `responses` list their input",
    ("DELETE", "/models/{}"): "models are the operators'",
}
"""By method and path, with `{}` for each variable: calls that are not answered though their group is."""


def instead_of(method: str, path: str, *, anthropic: bool = False) -> str | None:
    """What there is in the place of a call of which no route is; None where no package knows it.

    Args:
        method: the call's.
        path: as it was called, from the base URL on: `/threads/thread_1/runs`.
        anthropic: one of Anthropic's packages makes the call, so that its word for a group is the right one.
    """
    parts = path.strip("/").split("/")
    for (known, pattern), instead in CALLS.items():
        wanted = pattern.strip("/").split("/")
        if known == method and len(wanted) == len(parts) and all(map(_fits, wanted, parts)):
            return instead
    groups = {**GROUPS, **ANTHROPIC_GROUPS} if anthropic else {**ANTHROPIC_GROUPS, **GROUPS}
    return groups.get(parts[0])


def _fits(wanted: str, part: str) -> bool:
    return wanted in ("{}", part)
