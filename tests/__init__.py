"""Tests of the checkpoints repository, on loopback only."""
