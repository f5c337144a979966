"""The limits, each with the page of AWS's documentation that gives it (as of November 2026)."""

REQUEST_BYTES = 6_291_456
"""Of a synchronous invocation, and of the event that a queue or a stream makes of a batch: 6 MB (Lambda Developer
Guide, "Lambda quotas"; "Batching behavior" of "Event source mappings")."""

RESPONSE_BYTES = 6_291_556
"""Of what a function returns. The quota says 6 MB; this is the figure of the error `Function.ResponseSizeTooLarge`."""

EVENT_REQUEST_BYTES = 1_048_576
"""Of an asynchronous invocation: 1 MB, since October 2025 (Lambda API Reference, "Invoke")."""

GATEWAY_BYTES = 10_485_760
"""Of a request to a REST API: 10 MB (API Gateway Developer Guide, "Quotas for configuring and running a REST API")."""

INTEGRATION_MS = 29_000
"""What an integration of a REST API may take, where its `timeoutInMillis` says nothing else (same page)."""

STATE_BYTES = 262_144
"""Of an execution's, a state's or a task's input or result as JSON in UTF-8, and of what an `Assign` sets: 256 KiB
(Step Functions Developer Guide, "Service quotas" and "Passing data between states with variables")."""

ENTRIES_BYTES = 1_048_576
"""What all entries of a `PutEvents` stay below: 1 MB, since January 2026 (EventBridge API Reference, "PutEvents")."""

MESSAGE_BYTES = 1_048_576
"""Of a message: 1 MiB, since August 2025 (SQS Developer Guide, "Message quotas"). What a rule hands on is an event, and
longer than its entry (EventBridge User Guide, "Calculating PutEvents event entry size")."""

ENTRY_TIME_BYTES = 14
"""What an entry's time counts, where it has one (EventBridge User Guide, "Calculating PutEvents event entry size")."""

ASYNCHRONOUS_PAUSES_S = (1.0, 300.0)
"""Before an asynchronous event that was throttled is tried again: first and longest, doubled meanwhile; until it is six
hours old (Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation")."""
