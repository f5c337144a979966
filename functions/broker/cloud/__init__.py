"""The only rooms that call AWS; each client is made when it is first used."""
