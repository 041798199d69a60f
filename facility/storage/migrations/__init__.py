"""Alembic's environment; :mod:`facility.storage.migrate` runs it."""
