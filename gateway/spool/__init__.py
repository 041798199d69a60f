"""What a gateway that runs apart keeps on disk until the engine has committed it."""
