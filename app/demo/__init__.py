"""Harbour Tower: a facility in one process, with devices that fail on cue."""
