"""TapNet's checkpoints."""
