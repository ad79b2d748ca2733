"""Bytes and headers from a publisher: https, ranges, resume, retries."""
