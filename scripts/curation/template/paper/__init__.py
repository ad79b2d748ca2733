"""What is this paper's own: commands (paper/*.py), what they need, and the tests of its list."""
