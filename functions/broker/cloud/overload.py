"""What AWS refuses, or leaves unanswered, that passes by itself: a client may come again, and is told so.

Names are those of the errors' codes, by the API references of the services that the doors use. What an SDK repeats by
itself was repeated before it comes here (AWS SDKs and Tools Reference Guide, "Retry behavior").
"""

from broker.errors import Unavailable
from broker.storage import Contended

THROTTLED = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException"),
        # DynamoDB; the second where a transaction is repeated while it is under way
        *("ProvisionedThroughputExceededException", "TransactionInProgressException"),
        # S3
        *("SlowDown", "ServiceUnavailable"),
        # SQS, and KMS behind it
        *("OverLimit", "KmsThrottled", "KMS.ThrottlingException"),
        # Step Functions, and KMS behind it
        *("ExecutionLimitExceeded", "ServiceQuotaExceededException", "KmsThrottlingException"),
    }
)

MET = frozenset({"TransactionConflictException"})
"""A plain write of an item that a transaction holds."""


def unavailable(error: Exception) -> Unavailable | None:
    """What a door answers to an error that passes by itself; None for any other."""
    if isinstance(error, Contended):
        return _contention()
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code in MET:
            return _contention()
        if code in THROTTLED:
            return Unavailable("The broker is asked for more than it may do; try again.", code="busy", retry_after=2)
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 500:
            return None
    elif not isinstance(error, HTTPClientError | ConnectionError):
        return None
    return Unavailable("A store of the broker's did not answer; try again.", code="store_unavailable", retry_after=5)


def _contention() -> Unavailable:
    return Unavailable("Other requests write the same at this moment; try again.", code="contention", retry_after=1)
