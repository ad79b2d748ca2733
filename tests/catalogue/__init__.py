"""Tests of scripts/catalogue."""
