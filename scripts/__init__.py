"""Fetch, verify and pin the checkpoints of SAM-PT; run as ``python -m scripts.NAME``."""
