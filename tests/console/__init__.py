"""Tests of scripts/console."""
