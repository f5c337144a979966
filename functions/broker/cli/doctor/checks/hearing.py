"""Who hears of trouble, and whom the bus hears."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from broker.cli.doctor.deployed import Deployed
from broker.cli.doctor.finding import Finding, error, warning

AT_ONCE = 100
"""Names that DescribeAlarms takes (CloudWatch API reference)."""

ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")

LIMITING = ("aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:sourceaccount")
"""Conditions by which a statement for everybody is one for some; keys of conditions know no case."""


def subscribed(deployed: Deployed) -> Iterator[Finding]:
    """That somebody hears the alarms, who has said so."""
    topic = deployed.outputs.get("AlarmTopic")
    if topic is None:
        return
    told = (deployed.account.ask("sns", "get_topic_attributes", TopicArn=topic) or {}).get("Attributes", {})
    if int(told.get("SubscriptionsConfirmed", 0)):
        return
    address = deployed.parameters.get("AlarmEmail") or "you@example.com"
    mend = f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {shlex.quote(address)}"
    if int(told.get("SubscriptionsPending", 0)):
        yield warning("who is to hear the alarms has not confirmed it: answer the mail, or have it sent again", mend)
    else:
        yield warning("nobody hears the alarms", mend)


def alarms(deployed: Deployed) -> Iterator[Finding]:
    """Alarms that ring, or that would say nothing."""
    names = sorted(deployed.of_type(*ALARMS).values())
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        kinds = ["MetricAlarm", "CompositeAlarm"]
        reply = deployed.account.ask("cloudwatch", "describe_alarms", AlarmNames=some, AlarmTypes=kinds) or {}
        found = [*reply.get("MetricAlarms", ()), *reply.get("CompositeAlarms", ())]
        for gone in sorted({*some} - {each["AlarmName"] for each in found}):
            yield warning(f"the alarm {gone} is gone: somebody deleted it", deployed.restore())
        for each in found:
            yield from _alarm(each)


def _alarm(alarm: Mapping[str, Any]) -> Iterator[Finding]:
    name = alarm["AlarmName"]
    if alarm.get("StateValue") == "ALARM":
        meaning = str(alarm.get("AlarmDescription", ""))
        yield error(f"the alarm {name} rings: {meaning}", f"aws cloudwatch describe-alarm-history --alarm-name {name}")
    if alarm.get("ActionsEnabled") is False:
        yield warning(f"the alarm {name} tells nobody", f"aws cloudwatch enable-alarm-actions --alarm-names {name}")


def bus(deployed: Deployed) -> Iterator[Finding]:
    """That the bus hears whom it should, and nobody else."""
    name = deployed.outputs.get("BusName")
    if name is None:
        return
    told = deployed.account.ask("events", "describe_event_bus", Name=name)
    if told is None:
        yield error("the event bus is gone: no event asks for work, and nobody is told of jobs", deployed.restore())
        return
    heard: set[str] = set()
    for statement in _allowing(json.loads(told.get("Policy") or "{}").get("Statement", [])):
        who = _accounts(statement.get("Principal"))
        keys = {key.lower() for test in statement.get("Condition", {}).values() for key in test}
        everybody = "*" in who and not keys.intersection(LIMITING)
        heard |= who
        mend = f"aws events remove-permission --event-bus-name {name} --statement-id {statement.get('Sid', '')}"
        if everybody:
            yield error("any AWS account may put events on the bus", mend)
        elif who - {deployed.account_id} and "events:detail-type" not in keys:
            others = ", ".join(sorted(who - {deployed.account_id}))
            yield warning(
                f"others ({others}) may say on the bus that a job has ended; let them only ask for work", mend
            )
    yield from _unheard(deployed, heard)


def _unheard(deployed: Deployed, heard: set[str]) -> Iterator[Finding]:
    sources = [each for each in deployed.entries("sources").values() if each.get("enabled", True)]
    wanted = {str(each["account"]) for each in sources} - {deployed.account_id}
    if "*" in heard or not (missing := wanted - heard):
        return
    accounts = ",".join(sorted(missing | (heard - {deployed.account_id})))
    what = (
        f"events of the accounts {', '.join(sorted(missing))} are registered as sources, and the bus does not take them"
    )
    yield error(what, deployed.deploy(SenderAccounts=accounts))


def _allowing(statements: Any) -> Iterator[dict[str, Any]]:
    """Statements that let somebody put events; a policy may have one, or a list."""
    for each in statements if isinstance(statements, list) else [statements]:
        actions = each.get("Action", [])
        actions = [actions] if isinstance(actions, str) else actions
        if each.get("Effect") == "Allow" and {"events:putevents", "events:*", "*"} & {one.lower() for one in actions}:
            yield each


def _accounts(principal: Any) -> set[str]:
    """The accounts that a statement is for; `*` for everybody."""
    named = principal.get("AWS", []) if isinstance(principal, Mapping) else principal or []
    listed = [named] if isinstance(named, str) else named
    return {each.split(":")[4] if each.startswith("arn:") else each for each in listed}
