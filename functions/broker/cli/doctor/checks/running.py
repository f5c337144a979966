"""Whether what was deployed runs: the stack, its functions and their layer, what calls them, and the key."""

from collections.abc import Iterator
from typing import Any

from broker.cli.doctor.deployed import Deployed, readable
from broker.cli.doctor.finding import Finding, error, warning

BROKEN = {
    "UPDATE_ROLLBACK_FAILED": "continue-update-rollback",
    "UPDATE_FAILED": "rollback-stack",
    "CREATE_FAILED": "delete-stack",
    "DELETE_FAILED": "delete-stack",
    "ROLLBACK_COMPLETE": "delete-stack",
    "ROLLBACK_FAILED": "delete-stack",
}
"""States in which a stack takes no other deployment, and the command of `aws cloudformation` that leads out."""

ENDS = {"python3.12": "2028-10-31", "python3.13": "2029-06-30", "python3.14": "2029-06-30"}
"""From when AWS mends a runtime no more (Lambda developer guide, "Runtimes", as told in November 2026)."""


def stack(deployed: Deployed) -> Iterator[Finding]:
    """The state that CloudFormation has the stack in."""
    status = str(deployed.description["StackStatus"])
    if status in BROKEN:
        mend = f"aws cloudformation {BROKEN[status]} --stack-name {deployed.name}"
        yield error(f"the stack is {status} and takes no other deployment", mend)
    elif status == "UPDATE_ROLLBACK_COMPLETE":
        yield warning("the last deployment was rolled back; what runs is the one before it", deployed.deploy())
    elif status.endswith("_IN_PROGRESS"):
        mend = f"aws cloudformation wait stack-update-complete --stack-name {deployed.name}"
        yield warning(f"the stack is being changed ({status}); look again when that is done", mend)


def protection(deployed: Deployed) -> Iterator[Finding]:
    """That a wrong command or a careless change does not part the stack from what it holds."""
    if not deployed.description.get("EnableTerminationProtection"):
        on = "update-termination-protection --enable-termination-protection"
        yield warning("one command deletes the stack", f"aws cloudformation {on} --stack-name {deployed.name}")
    told = deployed.account.ask("cloudformation", "get_stack_policy", StackName=deployed.name) or {}
    if not told.get("StackPolicyBody"):
        given = f"--stack-name {deployed.name} --stack-policy-body file://stack-policy.json"
        what = "a deployment may replace a table or a bucket by an empty one"
        yield warning(what, f"aws cloudformation set-stack-policy {given}")


def functions(deployed: Deployed) -> Iterator[Finding]:
    """That each function is there and can start, with a layer that was built for what it runs on."""
    layers: dict[str, Any] = {}
    seen: set[str] = set()
    for logical, name in sorted(deployed.of_type("AWS::Lambda::Function").items()):
        yield from readable(deployed, _function(deployed, logical, name, layers, seen))
    if len(layers) > 1:
        what = "functions have different layers, so the last deployment was not done to its end"
        yield warning(what, deployed.deploy())


def _function(deployed: Deployed, logical: str, name: str, layers: dict[str, Any], seen: set[str]) -> Iterator[Finding]:
    found = deployed.account.ask("lambda", "get_function_configuration", FunctionName=name)
    if found is None:
        yield error(f"{logical} is gone: somebody deleted it", deployed.restore())
        return
    runtime, machine = found.get("Runtime", ""), (found.get("Architectures") or ["x86_64"])[0]
    if "Failed" in (found.get("State"), found.get("LastUpdateStatus")):
        why = found.get("LastUpdateStatusReasonCode") or found.get("StateReasonCode") or "Lambda does not say why"
        yield error(f"{logical} cannot start ({why})", deployed.deploy())
    if ENDS.get(runtime, "9") <= deployed.today and runtime not in seen:
        seen.add(runtime)
        newest = max(ENDS, key=lambda each: (ENDS[each], each))
        mend = f"BUILD_RUNTIME={newest} {deployed.deploy(Runtime=newest)}"
        yield warning(f"AWS mends {runtime} no more", mend)
    for arn in (layer["Arn"] for layer in found.get("Layers", ())):
        if arn not in layers:
            layers[arn] = deployed.account.ask("lambda", "get_layer_version_by_arn", Arn=arn)
        built = layers[arn]
        if built is None:
            yield error(f"the layer of {logical} is gone", deployed.restore())
            continue
        given = (built.get("CompatibleRuntimes") or [runtime], built.get("CompatibleArchitectures") or [machine])
        if runtime not in given[0] or machine not in given[1]:
            made = f"{', '.join(given[0])} on {', '.join(given[1])}"
            what = f"{logical} runs on {runtime} on {machine}, and its layer was built for {made}"
            yield error(what, deployed.deploy())  # both from samconfig.toml, so of one runtime


def sources(deployed: Deployed) -> Iterator[Finding]:
    """That queues and the stream are read, and that rules and schedules are on."""
    for logical, uuid in sorted(deployed.of_type("AWS::Lambda::EventSourceMapping").items()):
        yield from readable(deployed, _source(deployed, logical, uuid))
    for logical, physical in sorted(deployed.of_type("AWS::Events::Rule").items()):
        yield from readable(deployed, _rule(deployed, logical, physical))


def _source(deployed: Deployed, logical: str, uuid: str) -> Iterator[Finding]:
    found = deployed.account.ask("lambda", "get_event_source_mapping", UUID=uuid)
    if found is None:
        yield error(f"{logical} is gone, so nothing is read there", deployed.restore())
    elif found.get("State") in ("Disabled", "Disabling"):
        mend = f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"
        yield error(f"{logical} is switched off, so nothing is read there", mend)


def _rule(deployed: Deployed, logical: str, physical: str) -> Iterator[Finding]:
    # CloudFormation's id of a rule has its bus before a bar, where that is not the default one. The embedded
    # cloud's has not.
    given, _, name = physical.rpartition("|")
    bus = given or "default"
    found = deployed.account.ask("events", "describe_rule", Name=name, EventBusName=bus)
    if found is None and not given:
        bus = deployed.outputs["BusName"]
        found = deployed.account.ask("events", "describe_rule", Name=name, EventBusName=bus)
    if found is None:
        yield error(f"{logical} is gone, so nothing begins by it", deployed.restore())
    elif found.get("State") == "DISABLED":
        mend = f"aws events enable-rule --name {name} --event-bus-name {bus}"
        yield error(f"{logical} is switched off, so nothing begins by it", mend)


def key(deployed: Deployed) -> Iterator[Finding]:
    """That what everything at rest is encrypted with can be used."""
    arn = deployed.outputs.get("KeyArn")
    if arn is None:
        return
    found = (deployed.account.ask("kms", "describe_key", KeyId=arn) or {}).get("KeyMetadata", {})
    state = found.get("KeyState")
    on = f"aws kms enable-key --key-id {arn}"
    if state == "PendingDeletion":
        mend = f"aws kms cancel-key-deletion --key-id {arn} && {on}"
        yield error("the key is about to be deleted; then nothing can be read any more, by nobody", mend)
    elif state == "Disabled":
        yield error("the key is switched off, so nothing can be read or written", on)
