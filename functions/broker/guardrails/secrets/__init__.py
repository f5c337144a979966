"""Credentials in a text: issued tokens, keys, passwords beside their names, addresses that carry one."""

from broker.guardrails.secrets.scan import find_secrets

__all__ = ["find_secrets"]
