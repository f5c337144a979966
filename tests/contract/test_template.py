"""What the template promises of storage, queues, bus, API and alarms."""

from typing import Any

import pytest
from broker.cloud.texts import PREFIX
from broker.contract.operations import OPERATIONS
from broker.rest.api import MOST_WAIT_S
from broker.rest.published import PUBLIC_ROUTES
from broker.steps.asking import MOST_S

from tests.contract.stack import (
    Resource,
    as_list,
    events,
    functions,
    of_type,
    queues,
    rights,
    target,
    template,
)

FOREVER = 14 * 86_400
"""The longest that SQS keeps a message."""

EXPIRING = {"JobsTable", "CacheTable", "LedgerTable"}
"""Tables whose items have `expires_at`."""

READ = {target(each["Queue"]): function for function, _, each in events("SQS")}
"""The queues that functions read."""

RULES = of_type("AWS::Events::Rule")

DEAD_LETTERS = {
    name: target(queue["RedrivePolicy"]["deadLetterTargetArn"])
    for name, queue in queues().items()
    if "RedrivePolicy" in queue
}


def each(resources: dict[str, Resource]) -> Any:
    assert resources, "the template has none of these"
    return pytest.mark.parametrize(
        ("name", "properties"), [pytest.param(*pair, id=pair[0]) for pair in resources.items()]
    )


@each({name: queue for name, queue in queues().items() if name in READ})
def test_a_queue_that_is_read_has_dead_letters_kept_longer(name: str, properties: Resource) -> None:
    assert name in DEAD_LETTERS, f"{name} has no RedrivePolicy: a message that always fails would come for ever"
    dead = queues()[DEAD_LETTERS[name]]
    kept, longer = properties["MessageRetentionPeriod"], dead["MessageRetentionPeriod"]
    assert longer > kept, f"{DEAD_LETTERS[name]} keeps messages {longer} s, {name} {kept} s"
    assert properties["RedrivePolicy"]["maxReceiveCount"] >= 5, f"{name}: AWS advises five receives for a Lambda source"


@each({name: queue for name, queue in queues().items() if name not in READ})
def test_a_queue_that_nobody_reads_keeps_its_messages(name: str, properties: Resource) -> None:
    assert properties["MessageRetentionPeriod"] == FOREVER, f"{name} is an end: it keeps what it has as long as SQS can"


@each({name: queue for name, queue in queues().items() if name in READ})
def test_messages_stay_hidden_for_six_times_the_function(name: str, properties: Resource) -> None:
    timeout = functions()[READ[name]]["Timeout"]
    # Source: AWS Lambda developer guide, "Configuring an SQS queue for Lambda".
    assert properties["VisibilityTimeout"] >= 6 * timeout, (
        f"{name}: less than six times the {timeout} s of {READ[name]}"
    )


@each({name: queue for name, queue in queues().items() if name != "RuleDeadLetters"})
def test_a_queue_is_encrypted_with_the_stacks_key(name: str, properties: Resource) -> None:
    assert target(properties["KmsMasterKeyId"]) == "Key", name
    assert properties["KmsDataKeyReusePeriodSeconds"] >= 300, f"{name}: each data key costs a call of KMS"


@pytest.mark.parametrize(("function", "event", "source"), events("SQS"))
def test_a_source_reports_single_failures_and_is_bounded(function: str, event: str, source: Resource) -> None:
    assert source.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], f"{function}.{event}"
    assert source.get("ScalingConfig", {}).get("MaximumConcurrency", 0) >= 2, f"{function}.{event} is not bounded"


@pytest.mark.parametrize(("function", "event", "source"), events("DynamoDB"))
def test_a_stream_gives_up_to_a_queue(function: str, event: str, source: Resource) -> None:
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], f"{function}.{event}"
    assert source["BisectBatchOnFunctionError"] is True, f"{function}.{event}: one bad record would hold up all others"
    assert source["MaximumRetryAttempts"] > 0, (
        f"{function}.{event} retries for ever: a bad record would block its shard"
    )
    destination = target(source["DestinationConfig"]["OnFailure"]["Destination"])
    assert destination in queues(), f"{function}.{event} loses what it gives up"
    table = of_type("AWS::DynamoDB::Table")[target(source["Stream"])]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES", f"{event}: changes have two sides"


@each(RULES)
def test_a_target_has_dead_letters_and_a_retry_policy(name: str, properties: Resource) -> None:
    for each in properties["Targets"]:
        assert target(each["DeadLetterConfig"]["Arn"]) in queues(), f"{name}: {each['Id']} has no dead-letter queue"
        assert each["RetryPolicy"].keys() == {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"}, (
            f"{name}: {each['Id']}"
        )


def test_what_could_not_be_handed_on_for_want_of_the_key_does_not_need_it() -> None:
    queue = queues()["RuleDeadLetters"]
    assert (queue["SqsManagedSseEnabled"], "KmsMasterKeyId" in queue) == (True, False)
    assert {target(each["DeadLetterConfig"]["Arn"]) for rule in RULES.values() for each in rule["Targets"]} == {
        "RuleDeadLetters"
    }


@pytest.mark.parametrize(("function", "event", "source"), events("Schedule"))
def test_a_schedule_retries_never(function: str, event: str, source: Resource) -> None:
    # The next minute does what this one could not, so there is nothing to retry or to keep; silence is what would hurt.
    assert source["RetryPolicy"] == {"MaximumRetryAttempts": 0}, f"{function}.{event}"


def test_the_bus_may_send_where_its_rules_lead() -> None:
    wanted = {
        target(arn)
        for rule in of_type("AWS::Events::Rule").values()
        for each in rule["Targets"]
        for arn in (each["Arn"], each["DeadLetterConfig"]["Arn"])
    }
    allowed: set[str] = set()
    for policy in of_type("AWS::SQS::QueuePolicy").values():
        for statement in (each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"):
            assert "aws:SourceAccount" in str(statement["Condition"]), "any account's bus could send"
            allowed |= {target(arn) for arn in statement["Resource"]}
    assert allowed == wanted


@each(of_type("AWS::DynamoDB::Table"))
def test_a_table_is_safe_and_needs_no_capacity(name: str, properties: Resource) -> None:
    assert properties["BillingMode"] == "PAY_PER_REQUEST", name
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True, name
    assert properties["SSESpecification"]["SSEType"] == "KMS", name
    assert target(properties["SSESpecification"]["KMSMasterKeyId"]) == "Key", name
    expected = {"AttributeName": "expires_at", "Enabled": True} if name in EXPIRING else None
    assert properties.get("TimeToLiveSpecification") == expected, f"{name}: TTL stands where items have `expires_at`"


@each(of_type("AWS::S3::Bucket"))
def test_a_bucket_is_private_and_encrypted(name: str, properties: Resource) -> None:
    blocked = properties["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4, name
    assert set(blocked.values()) == {True}, f"{name} is not closed to the public"
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    if name == "RecordsBucket":  # S3 writes its records of requests with no key of ours
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    else:
        assert rule["BucketKeyEnabled"] is True, f"{name}: each object would cost a call of KMS"
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms", name
        assert target(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]) == "Key", name
    policies = [policy for policy in of_type("AWS::S3::BucketPolicy").values() if target(policy["Bucket"]) == name]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    assert any(
        each["Effect"] == "Deny" and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for each in statements
    ), f"{name} can be read in the clear"


def prefixes(bucket: str) -> set[str]:
    """The parts of a bucket that functions have rights on."""
    resources = [
        str(resource.get("Fn::Sub", ""))
        for role in of_type("AWS::IAM::Role")
        for statement in rights(role)
        for resource in as_list(statement["Resource"])
        if isinstance(resource, dict)
    ]
    start = f"${{{bucket}.Arn}}/"
    return {each.removeprefix(start).removesuffix("*") for each in resources if each.startswith(start)}


def test_what_jobs_leave_expires_and_texts_of_prompts_never_do() -> None:
    rules = of_type("AWS::S3::Bucket")["PayloadsBucket"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule.get("Prefix", ""): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    kept = prefixes("PayloadsBucket")
    assert PREFIX in kept
    days = dict.fromkeys(kept - {PREFIX}, 366) | {"services/": 8, "documents/": 30, "batches/": 31}
    assert expiring == days, "a rule without a prefix would take what prompts say"
    cleaned = {rule["Prefix"] for rule in rules if rule.get("AbortIncompleteMultipartUpload")}
    assert cleaned == kept
    assert all(rule["Status"] == "Enabled" for rule in rules)


def test_the_key_is_rotated() -> None:
    assert of_type("AWS::KMS::Key")["Key"]["EnableKeyRotation"] is True


def test_the_api_is_guarded_measured_and_traced() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    default = api["Auth"]["DefaultAuthorizer"]
    assert target(api["Auth"]["Authorizers"][default]["FunctionArn"]) == "AuthorizeFunction"
    assert api["TracingEnabled"] is True
    settings, *public = api["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*"), "some route is not throttled"
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= settings.keys()
    for each in public:
        # A page of the console asks for all of its modules at once.
        most = 200 if each["ResourcePath"] == "/~1console~1{file}" else 20
        assert 2 * each["ThrottlingRateLimit"] <= most >= each["ThrottlingBurstLimit"], "anybody may ask for it"
    assert {each["ResourcePath"] for each in public} == {f"/{path.replace('/', '~1')}" for _, path in PUBLIC_ROUTES}
    assert settings["DataTraceEnabled"] is False, "API Gateway would log prompts"
    assert 0 < api["MinimumCompressionSize"] <= 1000, "answers would go out as they are, and what goes out is paid for"
    assert target(api["AccessLogSetting"]["DestinationArn"]) in of_type("AWS::Logs::LogGroup")
    for word in ("body", "header", "querystring", "authorization"):
        assert word not in api["AccessLogSetting"]["Format"].lower(), f"the access log holds the request's {word}"


def test_a_share_of_the_apis_requests_is_traced_and_no_first_of_each_second() -> None:
    (rule,) = (each["SamplingRule"] for each in of_type("AWS::XRay::SamplingRule").values())
    assert (rule["ReservoirSize"], target(rule["FixedRate"])) == (0, "TraceRate"), "each second's first is nearly each"
    assert template()["Parameters"]["TraceRate"]["Default"] == 0.01
    (stage,) = (each["StageName"] for each in of_type("AWS::Serverless::Api").values())
    assert rule["ServiceType"] == "AWS::ApiGateway::Stage"
    assert rule["ServiceName"]["Fn::Sub"] == f"${{AWS::StackName}}/{stage}", "it would be of another stage"


def test_an_answer_of_the_authorizer_is_kept_only_by_what_is_a_credential() -> None:
    """Kept by anything else, one caller's would be given to another."""
    (api,) = of_type("AWS::Serverless::Api").values()
    authorizers = api["Auth"]["Authorizers"]
    assert authorizers.keys() == {"Identity", "EitherHeader"}
    one, other = authorizers["Identity"], authorizers["EitherHeader"]
    assert one["FunctionPayloadType"] == "TOKEN"
    assert (one["Identity"]["Header"], one["Identity"]["ReauthorizeEvery"]) == ("Authorization", 60)
    assert other["FunctionPayloadType"] == "REQUEST"
    assert other["Identity"] == {"ReauthorizeEvery": 0}, "with headers named, a call that lacks one of them is refused"
    assert target(other["FunctionArn"]) == "AuthorizeFunction"


@pytest.mark.parametrize(("function", "event", "route"), events("Api"))
def test_no_route_goes_around_the_authorizer(function: str, event: str, route: Resource) -> None:
    if route["Path"].startswith("/admin/"):
        signed = {"Authorizer": "AWS_IAM", "InvokeRole": "NONE"}
        assert (function, route["Auth"]) == ("AdminFunction", signed), f"{event} is for who signs with IAM"
    elif (route["Method"].upper(), route["Path"]) in PUBLIC_ROUTES:
        wanted = "ConsoleFunction" if route["Path"].startswith("/console") else "ApiFunction"
        assert (function, route["Auth"]) == (wanted, {"Authorizer": "NONE"}), f"{event} is for anybody"
    elif route["Method"] == "any":  # the tests of the document hold it to what lies below it
        either = {"Authorizer": "EitherHeader"}
        assert (function, route.get("Auth", either)) == ("ApiFunction", either), event
    elif (known := OPERATIONS.get((route["Method"].upper(), route["Path"]))) and known.by_either_header:
        assert route["Auth"] == {"Authorizer": "EitherHeader"}, f"{event} is called with a key in x-api-key as well"
    else:
        assert "Auth" not in route, f"{event} ({route['Method']} {route['Path']}) has an authorizer of its own, or none"
    assert target(route["RestApiId"]) == "Api", event


def test_a_long_poll_ends_before_its_function_and_the_gateway_do() -> None:
    timeout = functions()["ApiFunction"]["Timeout"]
    assert MOST_WAIT_S < timeout <= 29, "API Gateway cuts a call after 29 seconds"


def test_engines_and_what_follows_their_verdicts_end_before_the_function_that_asks_them() -> None:
    assert functions()["InvokeModelFunction"]["Timeout"] >= MOST_S + 20


@each(of_type("AWS::Logs::LogGroup"))
def test_a_log_group_forgets(name: str, properties: Resource) -> None:
    assert target(properties["RetentionInDays"]) == "LogRetentionDays", name


@each(of_type("AWS::Serverless::StateMachine"))
def test_a_workflow_is_traced_and_logs_no_payload(name: str, properties: Resource) -> None:
    assert properties["Tracing"] == {"Enabled": True}, name
    assert properties["Logging"]["IncludeExecutionData"] is False, f"{name} would log what travels through it"
    assert target(properties["Role"]) in of_type("AWS::IAM::Role"), name
