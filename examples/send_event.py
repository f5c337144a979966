"""Puts an InferenceRequested on the bus and hears how its job ended, by a rule and a queue that go again."""

import json
import os
import sys
import uuid

import boto3

BUS = os.environ["BROKER_BUS"]
NAME = f"example-{uuid.uuid4().hex[:8]}"

events, sqs = boto3.client("events"), boto3.client("sqs")
queue = sqs.create_queue(QueueName=NAME)["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
try:
    ends = {"source": ["inference.broker"], "detail-type": ["JobSucceeded", "JobFailed", "JobBlocked", "JobExpired"]}
    rule = events.put_rule(Name=NAME, EventBusName=BUS, EventPattern=json.dumps(ends))["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=NAME, EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])

    detail = {"input": "Summarize: The lamp needed nobody. The keeper slept.", "metadata": {"order": "17"}}
    entry = {"EventBusName": BUS, "Source": "demo.orders", "DetailType": "InferenceRequested"}
    (sent,) = events.put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])["Entries"]
    if "EventId" not in sent:
        sys.exit(f"the bus refused it: {sent}")
    print(f"put {sent['EventId']}")

    while True:  # of all that end meanwhile, the one whose correlation_id is the event's id
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            if event["detail"]["metadata"]["correlation_id"] == sent["EventId"]:
                print(f"{event['detail-type']}: the answer is at {event['detail']['data']['url']}")
                sys.exit()
finally:
    events.remove_targets(Rule=NAME, EventBusName=BUS, Ids=["queue"])
    events.delete_rule(Name=NAME, EventBusName=BUS)
    sqs.delete_queue(QueueUrl=queue)
