"""The API, the live channel and the console."""
