"""Lifts, pumps, fire panels and doors that behave and fail like real ones, on real wires."""
