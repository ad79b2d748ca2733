"""CRC-32C, which Google Cloud Storage announces and the standard library lacks."""

from __future__ import annotations

import functools

POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected (RFC 3720)


@functools.lru_cache(maxsize=64)
def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@functools.cache
def _table() -> list[int]:
    """Return the checksum of each single byte."""
    table = list(range(256))
    for _ in range(8):
        table = [(value >> 1) ^ (POLYNOMIAL if value & 1 else 0) for value in table]
    return table
