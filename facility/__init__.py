"""The vocabulary of a facility: what every other package speaks and none of them owns."""
