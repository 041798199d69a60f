"""Tests, by the package they hold to account."""
