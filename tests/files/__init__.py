"""Tests of scripts/files."""
