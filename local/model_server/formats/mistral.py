"""Mistral's chat completions: OpenAI's, with rules and errors of its own."""

from local.model_server.exchange import Ask, Json, Problem, Request
from local.model_server.formats import openai
from local.model_server.rules import mistral as rules

headers, write = openai.headers, openai.write


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply, which lies in no `error`."""
    inner = openai.error(problem, request_id)["error"]
    return {"object": "error", "message": inner["message"], "type": inner["type"], "param": None, "code": inner["code"]}


def read(request: Request) -> Ask:
    """Read a request."""
    ask = openai.asked(request)
    rules.check(request.body)
    return ask
