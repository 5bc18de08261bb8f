"""What claims look for: pure functions from objects as they were read to observations."""
