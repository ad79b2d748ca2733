"""Tests of what is this paper's own; those of the machinery are in tests/."""
