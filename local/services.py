"""moto's server, mended where it is not like AWS; `python -m local.services -H HOST -p PORT` starts it.

Textract of moto 5.2.5 gives the number of pages inside an object of its own, and documents without a word. SageMaker
endpoints of it answer nothing that could be read; here they answer `inputs` as a text generator of Hugging Face's does.
"""

import base64
import json
import sys
from typing import Any

from moto.sagemakerruntime.models import SageMakerRuntimeBackend
from moto.server import main
from moto.textract.models import TextractBackend

from local.model_server.brain.skills import summary

PAGES = 2
LINES = ("The lamp needed nobody.", "The keeper slept.")
"""One on each page."""


def mend() -> None:
    """Change moto in memory, before it starts."""
    TextractBackend.PAGES = PAGES  # type: ignore[assignment]  # as in the service's reply
    TextractBackend.BLOCKS = [
        {"BlockType": "LINE", "Id": f"line-{page}", "Page": page, "Text": line, "Confidence": 99.5}
        for page, line in enumerate(LINES, 1)
    ]
    as_shipped = SageMakerRuntimeBackend.invoke_endpoint

    def invoke_endpoint(self: Any, endpoint_name: str, unique_repr: bytes) -> tuple[str, str, str, str]:
        asked = json.loads(json.loads(base64.b64decode(unique_repr))["Body"])
        ordered = self.results_queue or unique_repr in self.results.get(endpoint_name, {})
        if ordered or "inputs" not in asked:
            return as_shipped(self, endpoint_name, unique_repr)
        told = [{"generated_text": summary(str(asked["inputs"]))}]
        return json.dumps(told), "application/json", "", ""

    SageMakerRuntimeBackend.invoke_endpoint = invoke_endpoint  # type: ignore[method-assign]


if __name__ == "__main__":
    mend()
    main(sys.argv[1:])
