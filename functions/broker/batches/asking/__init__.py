"""How a batch is asked for: the request, its estimate, its hours, and what becomes of it before a row is read."""
