"""Tests of scripts/pickles."""
