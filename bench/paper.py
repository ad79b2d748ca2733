"""On paper: a thousand nodes start at once, and each wants the tree. Every figure is arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from tests.world.checkpoints import SIZES

_MINIMAL = ("cotracker_ckpts/cotracker_stride_4_wind_8.pth", "samhq_ckpts/sam_hq_vit_h.pth")


@dataclass(frozen=True)
class Assumptions:
    """What the arithmetic takes for granted; prices are list prices in dollars, to be checked."""

    nodes: int = 1000
    per_gb_far: float = 0.12  # out of the cloud, or to another continent
    per_gb_near: float = 0.02  # to another region of the same continent
    per_million_reads: float = 0.40  # class B operations
    per_million_lists: float = 5.00  # class A operations
    region: float = 200.0  # Gbit/s out of a bucket's region, the default quota of a project
    node: float = 10.0  # Gbit/s into a node
    shared: float = 20.0  # GB/s out of the cluster's file system
    reads: int = 5000  # a second that a new bucket serves before it has scaled up


GIVEN = Assumptions()


def lines(reads: int, lists: int, given: Assumptions = GIVEN) -> dict[str, str]:
    """Return placeholder -> figure; `reads` and `lists` are the requests of one measured pull."""
    tree = sum(SIZES.values()) / 1e9
    minimal = sum(SIZES[path] for path in _MINIMAL) / 1e9
    whole, least = given.nodes * tree, given.nodes * minimal
    requests = given.nodes * (reads * given.per_million_reads + lists * given.per_million_lists)
    return {
        "nodes": f"{given.nodes:,}",
        "tree": f"{tree:.2f}",
        "minimal": f"{minimal:.2f}",
        "whole": f"{whole:,.0f}",
        "least": f"{least:,.0f}",
        "region": f"{given.region:g}",
        "region_s": f"{whole * 8 / given.region:,.0f}",
        "least_region_s": f"{least * 8 / given.region:,.0f}",
        "node": f"{given.node:g}",
        "node_s": f"{tree * 8 / given.node:.1f}",
        "reads": str(reads),
        "lists": str(lists),
        "all_reads": f"{given.nodes * reads:,}",
        "all_lists": f"{given.nodes * lists:,}",
        "rate": f"{given.reads:,}",
        "rate_s": f"{given.nodes * reads / given.reads:.1f}",
        "price_reads": f"{given.per_million_reads:.2f}",
        "price_lists": f"{given.per_million_lists:.2f}",
        "price_requests": f"{requests / 1e6:.2f}",
        "per_gb_near": f"{given.per_gb_near:.2f}",
        "price_near": f"{whole * given.per_gb_near:,.0f}",
        "per_gb_far": f"{given.per_gb_far:.2f}",
        "price_far": f"{whole * given.per_gb_far:,.0f}",
        "shared": f"{given.shared:g}",
        "shared_s": f"{least / given.shared:,.0f}",
    }
