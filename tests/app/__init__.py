"""The composed system, as processes on real wires."""
