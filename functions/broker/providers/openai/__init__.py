"""OpenAI, and its format for all that speak it."""
