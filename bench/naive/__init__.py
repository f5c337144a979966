"""What the broker's start-up is compared with."""
