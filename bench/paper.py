"""On paper: a thousand nodes start at once, and each pulls the tree. All figures are arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from tests.world.checkpoints import MIB, SIZES

_MINIMAL = ("cotracker_ckpts/cotracker_stride_4_wind_8.pth", "samhq_ckpts/sam_hq_vit_h.pth")

# How gcsfs 2026.10 reads an object (gcsfs/core.py, _get_file and _get_file_concurrent): in one
# request, or above a threshold in blocks, of which fsspec's prefetcher splits the first five in
# three. tests/storage/test_bucket.py counts the requests of such an object.
_WHOLE = 100 * MIB  # _get_threshold_for_disk_reads
_BLOCK = 16 * MIB  # chunk_size
_SPLIT = 10  # requests more, for the first blocks


@dataclass(frozen=True)
class Assumptions:
    """The assumptions of the arithmetic; prices are list prices in dollars, to be checked."""

    nodes: int = 1000
    per_gib_far: float = 0.12  # out of the cloud, or to another continent
    per_gib_near: float = 0.02  # to another region of the same continent
    per_million_reads: float = 0.40  # class B operations
    per_million_lists: float = 5.00  # class A operations
    region: float = 200.0  # Gbit/s out of a bucket's region, the default quota of a project
    node: float = 10.0  # Gbit/s into a node
    shared: float = 20.0  # GB/s out of the cluster's file system
    reads: int = 5000  # per second, from a new bucket before it has scaled up


GIVEN = Assumptions()


def ranges(size: int) -> int:
    """Return the number of requests in which gcsfs reads an object of `size` bytes."""
    return 1 if size <= _WHOLE else -(-size // _BLOCK) + _SPLIT


def lines(more: int, lists: int, given: Assumptions = GIVEN) -> dict[str, str]:
    """Return placeholder -> figure.

    `more` and `lists` are the reads and lists of one measured pull beside those of the objects.
    """
    return _bytes(given) | _requests(more, lists, given)


def _bytes(given: Assumptions) -> dict[str, str]:
    tree = sum(SIZES.values()) / 1e9
    minimal = sum(SIZES[path] for path in _MINIMAL) / 1e9
    whole, least = given.nodes * tree, given.nodes * minimal
    billed = whole * 1e9 / 2**30
    return {
        "nodes": f"{given.nodes:,}",
        "tree": f"{tree:.2f}",
        "minimal": f"{minimal:.2f}",
        "whole": f"{whole:,.0f}",
        "least": f"{least:,.0f}",
        "billed": f"{billed:,.0f}",
        "region": f"{given.region:g}",
        "region_s": f"{whole * 8 / given.region:,.0f}",
        "least_region_s": f"{least * 8 / given.region:,.0f}",
        "node": f"{given.node:g}",
        "node_s": f"{tree * 8 / given.node:.1f}",
        "per_gib_near": f"{given.per_gib_near:.2f}",
        "price_near": f"{billed * given.per_gib_near:,.0f}",
        "per_gib_far": f"{given.per_gib_far:.2f}",
        "price_far": f"{billed * given.per_gib_far:,.0f}",
        "shared": f"{given.shared:g}",
        "shared_s": f"{least / given.shared:,.0f}",
    }


def _requests(more: int, lists: int, given: Assumptions) -> dict[str, str]:
    small = sum(size <= _WHOLE for size in SIZES.values())
    blocks = sum(ranges(size) for size in SIZES.values() if size > _WHOLE)
    reads = small + blocks + more
    price = given.nodes * (reads * given.per_million_reads + lists * given.per_million_lists) / 1e6
    warm = given.nodes * (given.per_million_reads + given.per_million_lists) / 1e6
    return {
        "objects": str(len(SIZES)),
        "whole_mib": str(_WHOLE // MIB),
        "block_mib": str(_BLOCK // MIB),
        "small": str(small),
        "large": str(len(SIZES) - small),
        "blocks": str(blocks),
        "more": str(more),
        "reads": str(reads),
        "lists": str(lists),
        "all_reads": f"{given.nodes * reads:,}",
        "all_lists": f"{given.nodes * lists:,}",
        "rate": f"{given.reads:,}",
        "rate_s": f"{given.nodes * reads / given.reads:.0f}",
        "price_reads": f"{given.per_million_reads:.2f}",
        "price_lists": f"{given.per_million_lists:.2f}",
        "price_requests": f"{price:.2f}",
        "price_warm": f"{warm:.4f}",
    }
