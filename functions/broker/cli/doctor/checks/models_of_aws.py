"""Whether the account lets invoke_model ask the registered models of Bedrock and SageMaker.

Source: Amazon Bedrock user guide, "Request access to models"; API reference, `GetFoundationModelAvailability`.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from broker.cli.doctor.account import MISSING
from broker.cli.doctor.checks.registered import in_use
from broker.cli.doctor.deployed import Deployed, readable
from broker.cli.doctor.finding import Finding, error, warning

UNKNOWN = MISSING | {"ValidationException"}
"""Of a name that is of another form than the service's, it says that it is not valid."""

CREATES = {"bedrock": "bedrock:InvokeModel", "bedrock_batch": "bedrock:CreateModelInvocationJob"}
"""What invoke_model does with a model of a provider."""


@dataclass
class _Region:
    """Bedrock in one region; each thing is asked once."""

    deployed: Deployed
    name: str
    forms: set[str] = field(default_factory=set)

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """The foundation models of the region, by id."""
        reply = self.ask("list_foundation_models") or {}
        return {each["modelId"]: each for each in reply.get("modelSummaries", ())}

    def ask(self, operation: str, **asked: Any) -> dict[str, Any] | None:
        """One question to Bedrock of the region."""
        return self.deployed.account.ask("bedrock", operation, region=self.name, none=UNKNOWN, **asked)

    def command(self, text: str) -> str:
        """A command of the AWS CLI for the region."""
        return f"aws bedrock {text} --region {shlex.quote(self.name)}"


def bedrock(deployed: Deployed) -> Iterator[Finding]:
    """Models of Bedrock: there, open to the account, and allowed to the role of invoke_model."""
    regions: dict[str, _Region] = {}
    for name, model in in_use(deployed).items():
        if model["provider"] in CREATES:
            place = str(model.get("endpoint") or deployed.region)
            region = regions.setdefault(place, _Region(deployed, place))
            yield from readable(deployed, _model(region, name, model))


def _model(region: _Region, name: str, model: Mapping[str, Any]) -> Iterator[Finding]:
    wanted = str(model["name"])
    base = wanted.rpartition("foundation-model/")[2]
    if base in region.models:
        yield from _lifecycle(region, name, base, model["provider"])
        arns = [f"arn:{region.deployed.partition}:bedrock:{region.name}::foundation-model/{base}"]
        ids = [base]
    else:
        profile = region.ask("get_inference_profile", inferenceProfileIdentifier=wanted)
        if profile is None:
            query = f"--query {shlex.quote('modelSummaries[].modelId')}"
            what = f"Bedrock in {region.name} has no model and no inference profile {wanted} ({name})"
            yield error(what, region.command(f"list-foundation-models {query}"))
            return
        reached = [str(each["modelArn"]) for each in profile["models"]]
        arns = [str(profile["inferenceProfileArn"]), *reached]
        ids = sorted({each.rpartition("/")[2] for each in reached})
    for each in ids:
        yield from readable(region.deployed, _open(region, name, each))
    yield from readable(region.deployed, _allowed(region, name, CREATES[model["provider"]], arns))


def _lifecycle(region: _Region, name: str, model_id: str, provider: str) -> Iterator[Finding]:
    told = region.models[model_id]
    if provider == "bedrock" and "ON_DEMAND" not in told.get("inferenceTypesSupported", ["ON_DEMAND"]):
        contains = f"inferenceProfileSummaries[?contains(models[0].modelArn, '{model_id}')].inferenceProfileId"
        what = f"{model_id} ({name}) is not called by its own name in {region.name}, but by an inference profile's"
        yield error(what, region.command(f"list-inference-profiles --query {shlex.quote(contains)}"))
    ends = told.get("modelLifecycle", {})
    if ends.get("status") == "LEGACY":
        day = f" on {ends['endOfLifeTime']:%Y-%m-%d}" if ends.get("endOfLifeTime") else ""
        what = f"AWS is to take {model_id} ({name}) away{day}: register its successor"
        yield warning(what, region.deployed.broker("apply registry/"))


def _open(region: _Region, name: str, model_id: str) -> Iterator[Finding]:
    """Whether the account has what it needs once: a subscription, and Anthropic's form."""
    told = region.ask("get_foundation_model_availability", modelId=model_id) or {}
    agreement = told.get("agreementAvailability", {}).get("status")
    if agreement == "PENDING":
        what = f"the subscription of {model_id} ({name}) is being made, which takes up to fifteen minutes"
        yield warning(what, region.deployed.broker("doctor"))
    elif agreement in ("NOT_AVAILABLE", "ERROR") or told.get("entitlementAvailability") == "NOT_AVAILABLE":
        what = f"the account has no subscription of {model_id} ({name}); who makes it needs aws-marketplace:Subscribe"
        yield error(what, _subscribe(region, model_id))
    if told.get("authorizationStatus") == "NOT_AUTHORIZED":
        yield error(f"the account may not use {model_id} ({name})", _organization(region.deployed))
    if model_id.startswith("anthropic.") and "anthropic" not in region.forms:
        region.forms.add("anthropic")
        if region.ask("get_use_case_for_model_access") is None:
            what = "Anthropic has no use-case form of this account (one of the organization's first account counts too)"
            yield warning(what, region.command("put-use-case-for-model-access --form-data fileb://use-case.json"))


def _subscribe(region: _Region, model_id: str) -> str:
    offers = region.command(
        f"list-foundation-model-agreement-offers --model-id {model_id} --query offers[0].offerToken --output text"
    )
    return region.command(f'create-foundation-model-agreement --model-id {model_id} --offer-token "$({offers})"')


def _organization(deployed: Deployed) -> str:
    of = f"--target-id {deployed.account_id} --filter SERVICE_CONTROL_POLICY"
    return f"aws organizations list-policies-for-target {of}"


def _allowed(region: _Region, name: str, action: str, arns: Sequence[str]) -> Iterator[Finding]:
    """What IAM decides for the role of invoke_model, with its boundary and the organization's policies."""
    deployed = region.deployed
    role = deployed.of_type("AWS::IAM::Role").get("InvokeModelRole")
    if role is None:
        return
    source = f"arn:{deployed.partition}:iam::{deployed.account_id}:role/{role}"
    asked: dict[str, Any] = {"PolicySourceArn": source, "ActionNames": [action], "ResourceArns": list(arns)}
    reply = deployed.account.ask("iam", "simulate_principal_policy", **asked) or {}
    for each in reply.get("EvaluationResults", ()):
        if each["EvalDecision"] != "allowed":
            what = f"the role of invoke_model may not {action} on {each.get('EvalResourceName', '*')} ({name})"
            if each.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
                yield error(f"{what}: the organization forbids it", _organization(deployed))
            else:
                yield error(what, deployed.restore())


def endpoints(deployed: Deployed) -> Iterator[Finding]:
    """Endpoints of SageMaker and guardrails of Bedrock that models are registered for: there, and ready."""
    for name, model in in_use(deployed).items():
        if check := OWN.get(model["provider"]):
            yield from readable(deployed, check(deployed, name, model))


def _endpoint(deployed: Deployed, name: str, model: Mapping[str, Any]) -> Iterator[Finding]:
    endpoint, region = model["name"], model.get("endpoint") or deployed.region
    found = deployed.account.ask("sagemaker", "describe_endpoint", region=region, none=UNKNOWN, EndpointName=endpoint)
    of = f"--endpoint-name {shlex.quote(endpoint)} --region {shlex.quote(region)}"
    if found is None:
        make = f"aws sagemaker create-endpoint {of} --endpoint-config-name {shlex.quote(endpoint)}"
        yield error(f"there is no SageMaker endpoint {endpoint} ({name}) in {region}", make)
    elif found["EndpointStatus"] in ("Failed", "OutOfService", "Deleting", "UpdateRollbackFailed"):
        what = f"the SageMaker endpoint {endpoint} ({name}) is {found['EndpointStatus']}"
        config = shlex.quote(str(found.get("EndpointConfigName", endpoint)))
        yield error(what, f"aws sagemaker update-endpoint {of} --endpoint-config-name {config}")


def _guardrail(deployed: Deployed, name: str, model: Mapping[str, Any]) -> Iterator[Finding]:
    guardrail, region = model["name"], model.get("endpoint") or deployed.region
    version = str(model.get("options", {}).get("version", "DRAFT"))
    asked = {"guardrailIdentifier": guardrail, "guardrailVersion": version}
    found = deployed.account.ask("bedrock", "get_guardrail", region=region, none=UNKNOWN, **asked)
    if found is None or found.get("status") in ("FAILED", "DELETING"):
        state = "is not there" if found is None else f"is {found['status']}"
        what = f"the guardrail {guardrail} ({name}), version {version}, {state} in {region}"
        yield error(
            what, f"aws bedrock list-guardrails --guardrail-identifier {shlex.quote(guardrail)} --region {region}"
        )


OWN: dict[str, Callable[[Deployed, str, Mapping[str, Any]], Iterator[Finding]]] = {
    "sagemaker": _endpoint,
    "sagemaker_async": _endpoint,
    "bedrock_guardrails": _guardrail,
}
