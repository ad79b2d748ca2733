"""Tests of scripts/checkout."""
