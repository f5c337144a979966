"""One file for each provider's wire format, looked up by name and imported on first use."""
