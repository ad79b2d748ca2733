"""Bytes on this disk: room, locks, atomic replacement, hashes, hostile archives."""
