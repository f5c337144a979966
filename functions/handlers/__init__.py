"""One door for each Lambda function: parse, call, map."""
