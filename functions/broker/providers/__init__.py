"""Providers: a file or a folder each, beside what they share in `wire`; looked up by name, imported on first use."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from broker.errors import InvalidRequest

if TYPE_CHECKING:
    from broker.providers.wire.base import Provider

PROVIDERS = {
    "anthropic": ("broker.providers.anthropic", "Anthropic"),
    "azure": ("broker.providers.azure", "Azure"),
    "azure_content_safety": ("broker.providers.azure_content_safety", "AzureContentSafety"),
    "bedrock": ("broker.providers.bedrock.provider", "Bedrock"),
    "cohere": ("broker.providers.cohere", "Cohere"),
    "gemini": ("broker.providers.gemini.provider", "Gemini"),
    "huggingface": ("broker.providers.huggingface", "HuggingFace"),
    "mistral": ("broker.providers.mistral", "Mistral"),
    "google_translate": ("broker.providers.google_translate", "GoogleTranslate"),
    "openai": ("broker.providers.openai.provider", "OpenAI"),
    # AWS services
    "bedrock_batch": ("broker.providers.bedrock.batch_inference", "BedrockBatch"),
    "bedrock_guardrails": ("broker.providers.bedrock.guardrails", "BedrockGuardrails"),
    "comprehend": ("broker.providers.aws.comprehend", "Comprehend"),
    "lex": ("broker.providers.aws.lex", "Lex"),
    "polly": ("broker.providers.aws.polly", "Polly"),
    "rekognition": ("broker.providers.aws.rekognition", "Rekognition"),
    "sagemaker": ("broker.providers.sagemaker.provider", "SageMaker"),
    "sagemaker_async": ("broker.providers.sagemaker.provider", "SageMakerAsync"),
    "textract": ("broker.providers.aws.textract", "Textract"),
    "transcribe": ("broker.providers.aws.transcribe", "Transcribe"),
    "translate": ("broker.providers.aws.translate", "Translate"),
}
"""The name that a registered model gives as its provider, and where that wire format lives: module and class."""


@cache
def lookup(name: str) -> "Provider":
    """The provider of a name; one for each process, so that its connections are kept.

    Raises:
        InvalidRequest: there is none (`unknown_provider`).
    """
    if name not in PROVIDERS:
        raise InvalidRequest(f"There is no provider {name!r}.", code="unknown_provider", param="model")
    module, kind = PROVIDERS[name]
    return cast("Provider", getattr(import_module(module), kind)())
