"""What operators have done to answers, by rules of a prompt or of a route, before anybody checks or sees them."""
