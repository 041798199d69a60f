"""Traction lifts: motion, doors, traffic, motor and brake, and how they fail."""
