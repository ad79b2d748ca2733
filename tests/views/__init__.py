"""Tests of scripts/views."""
