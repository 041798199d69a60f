"""Onboarding: from an unknown device or a given list to a draft of site file and profiles that a person reviews."""
