"""moto's server, patched where it is not like AWS; `python -m local.services -H HOST -p PORT` starts it.

SageMaker endpoints of moto 5.2.5 answer nothing that could be read; here they answer `inputs` as a text generator of
Hugging Face's does, and asynchronous ones read and write the buckets of the cloud, where the functions look. What it
knows nothing of is answered by `local.aws_answers`.
"""

import base64
import json
import sys
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sagemakerruntime.models import SageMakerRuntimeBackend
from moto.server import main

from local.aws_answers import answering
from local.buckets import buckets
from local.model_server.brain.skills import summary
from local.servers import RESULTS

COMPONENT = "x-amzn-sagemaker-inference-component"
"""The header that names one of several models behind an endpoint; what answers says so."""


def patch() -> None:
    """Change moto in memory, before it starts."""
    as_shipped = SageMakerRuntimeBackend.invoke_endpoint

    def invoke_endpoint(self: Any, endpoint_name: str, unique_repr: bytes) -> tuple[str, str, str, str]:
        sent = {name.lower(): value for name, value in json.loads(base64.b64decode(unique_repr)).items()}
        asked = json.loads(sent["body"])
        ordered = self.results_queue or unique_repr in self.results.get(endpoint_name, {})
        if ordered or "inputs" not in asked:
            return as_shipped(self, endpoint_name, unique_repr)
        outputs = [{"generated_text": summary(str(asked["inputs"])), "component": sent.get(COMPONENT)}]
        return json.dumps(outputs), "application/json", "", ""

    def invoke_endpoint_async(self: Any, endpoint_name: str, input_location: str) -> tuple[str, str]:
        bucket, _, key = input_location.removeprefix("s3://").partition("/")
        s3 = buckets()
        s3.create_bucket(Bucket=RESULTS)
        asked = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        result = json.dumps({"summary": summary(str(asked))}).encode()
        s3.put_object(Bucket=RESULTS, Key=f"{key}.out", Body=result, ContentType="application/json")
        return f"s3://{RESULTS}/{key}.out", f"s3://{RESULTS}/{key}.error"

    SageMakerRuntimeBackend.invoke_endpoint = invoke_endpoint  # type: ignore[method-assign]
    SageMakerRuntimeBackend.invoke_endpoint_async = invoke_endpoint_async  # type: ignore[method-assign]

    DomainDispatcherApplication.__call__ = answering(DomainDispatcherApplication.__call__)  # type: ignore[method-assign]


if __name__ == "__main__":
    patch()
    main(sys.argv[1:])
