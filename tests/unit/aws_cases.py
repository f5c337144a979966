"""The table of AWS services: for each piece of work a call, the replies to it, and what comes of them."""

from tests.unit.aws_batches import BATCHES
from tests.unit.aws_case import Case
from tests.unit.aws_documents import TEXTRACT
from tests.unit.aws_endpoints import SAGEMAKER
from tests.unit.aws_guardrails import GUARDRAILS
from tests.unit.aws_media import POLLY, REKOGNITION, TRANSCRIBE
from tests.unit.aws_texts import COMPREHEND, LEX, TRANSLATE

CASES: dict[str, Case] = {
    f"{service}: {name}": case
    for service, table in {
        "comprehend": COMPREHEND,
        "translate": TRANSLATE,
        "rekognition": REKOGNITION,
        "polly": POLLY,
        "lex": LEX,
        "textract": TEXTRACT,
        "transcribe": TRANSCRIBE,
        "sagemaker": SAGEMAKER,
        "batches": BATCHES,
        "guardrails": GUARDRAILS,
    }.items()
    for name, case in table.items()
}
