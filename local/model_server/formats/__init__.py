"""One file per wire format; each is a module with the functions of ``exchange.Format``."""
