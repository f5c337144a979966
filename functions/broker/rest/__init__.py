"""The REST door: what API Gateway hands over, as calls of the use cases, and their results as replies."""
