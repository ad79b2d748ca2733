"""Tests of scripts/storage."""
