"""Console: the operators' page and its modules. It may read nothing of the stack."""

from typing import Any

from broker.bootstrap import doors
from broker.console.serving import served
from broker.observability import invocation


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call."""
    return served(event, doors.console_region()).proxy(event["requestContext"]["requestId"])
