"""Composition: wires the stages together and offers the command line."""
