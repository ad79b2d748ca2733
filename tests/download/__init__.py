"""Tests of scripts/download."""
