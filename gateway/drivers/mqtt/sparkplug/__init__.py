"""Sparkplug B: edge nodes that say with birth and death certificates what they have and whether they live."""
