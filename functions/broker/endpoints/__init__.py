"""Endpoints that tenants register: where they are told of their jobs and batches without saying so in each request."""
