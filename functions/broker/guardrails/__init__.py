"""Checks before and after the model: the rules that need no model of their own."""
