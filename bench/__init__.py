"""Measure the transfer beside what a user would pick instead; run as ``python -m bench``."""
