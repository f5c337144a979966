"""What wire formats share: the contract of a provider, HTTP, conversations, media, answers to a schema."""
