"""What loading a checkpoint would run; nothing is loaded."""
