"""Time series of samples behind one protocol."""
