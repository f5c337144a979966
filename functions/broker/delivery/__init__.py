"""What the outside is told: events on the bus, and webhooks."""
