"""Turns samples into transitions: rule by rule, with a reason and the evidence."""
