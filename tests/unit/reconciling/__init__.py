"""Checking a provider's bill."""
