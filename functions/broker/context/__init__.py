"""The context window: what of a conversation fits it, what is done with the rest, and conversations that are kept."""
