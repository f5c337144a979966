"""Configurations of other gateways as registry documents: what can be carried over, and in words what cannot."""
