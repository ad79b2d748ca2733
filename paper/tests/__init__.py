"""Tests of SAM-PT's own list: its guide, README, docs and demo."""
