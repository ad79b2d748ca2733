"""The page of the tree, in a real Chromium."""

from pathlib import Path

SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"  # git ignores it
