"""The embedded cloud: starts it, deploys the stack onto it, seeds it, and shows what it does."""
