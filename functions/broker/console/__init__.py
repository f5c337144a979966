"""The operators' console: its files, and what is sent along with them."""
