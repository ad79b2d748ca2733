"""The checks of `doctor`: each returns what is well, or raises CheckpointError."""
