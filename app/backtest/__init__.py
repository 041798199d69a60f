"""Back-tests beside live work: each runs in a process of its own, on files that nobody else touches."""
