"""The metrics of AWS's own that alarms and the dashboard look at, with the dimensions that AWS documents."""

AWS_METRICS: dict[tuple[str, str], tuple[str, ...]] = {
    # API Gateway developer guide, "Amazon API Gateway dimensions and metrics": by API and stage they cost nothing.
    ("AWS/ApiGateway", "4XXError"): ("ApiName", "Stage"),
    ("AWS/ApiGateway", "5XXError"): ("ApiName", "Stage"),
    ("AWS/ApiGateway", "Count"): ("ApiName", "Stage"),
    # EventBridge user guide, "Monitoring Amazon EventBridge": of the default bus by rule alone.
    ("AWS/Events", "FailedInvocations"): ("EventBusName", "RuleName"),
    # Lambda developer guide, "Types of metrics for Lambda functions"; without a dimension, of account and region.
    ("AWS/Lambda", "ConcurrentExecutions"): ("FunctionName",),
    ("AWS/Lambda", "Duration"): ("FunctionName",),
    ("AWS/Lambda", "Errors"): ("FunctionName",),
    ("AWS/Lambda", "IteratorAge"): ("FunctionName",),
    ("AWS/Lambda", "Throttles"): ("FunctionName",),
    # SQS developer guide, "Available CloudWatch metrics for Amazon SQS".
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ("QueueName",),
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): ("QueueName",),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName",),
    # Step Functions developer guide, "Monitoring Step Functions metrics using Amazon CloudWatch".
    ("AWS/States", "ExecutionsFailed"): ("StateMachineArn",),
}

OF_THE_ACCOUNT = {("AWS/Lambda", "ConcurrentExecutions"), ("AWS/Lambda", "Throttles")}
"""Told without a dimension as well: of all functions of the account in a region."""
