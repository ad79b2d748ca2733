"""Tests of scripts/curation."""
