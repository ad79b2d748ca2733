"""Bytes on this disk: room, atomic replacement, hashes, hostile archives."""
