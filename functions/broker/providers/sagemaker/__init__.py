"""Amazon SageMaker's endpoints."""
