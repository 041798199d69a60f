"""What is computed from points over time, for conditions that the kernel cannot decide on a point's own samples."""
