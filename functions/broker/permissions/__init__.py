"""Permissions: who may do what, by rules that the operators register."""
