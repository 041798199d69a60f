"""Recordings, played onto the wire and taken the whole way."""
