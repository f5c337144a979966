"""Messages of the Model Context Protocol, as far as they are one for all methods; the protocol has the rest."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from broker.contract.common import Shown
from broker.contract.operation import Operation


class McpMessage(BaseModel):
    """A request, or a notification, which has no id, of JSON-RPC 2.0. There are no batches."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    jsonrpc: Literal["2.0"]
    method: str
    """Such as `tools/list` and `tools/call`."""
    id: str | int = ""
    """Said again by the reply."""
    params: dict[str, Any] = {}


class McpError(Shown):
    """An error of the protocol; what a tool could not do is told in its result."""

    code: int
    message: str
    data: dict[str, Any] | None = None


class McpReply(Shown):
    """What came of a request; older clients are told errors in it as well."""

    jsonrpc: Literal["2.0"]
    id: str | int
    result: dict[str, Any] | None = None
    error: McpError | None = None


class McpFailure(Shown):
    """Why a message is none, or is not answered."""

    jsonrpc: Literal["2.0"]
    id: str | int | None
    error: McpError


MCP_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/mcp"): Operation(
        "Speak the Model Context Protocol (streamable HTTP, without sessions and streams)",
        "mcp",
        {200: McpReply, 202: None, 400: McpFailure, 404: McpFailure},
        errors=(413,),
        body=McpMessage,
    )
}
"""By method and path."""
