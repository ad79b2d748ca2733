"""Change the catalogue: add, repin, remove, compare with the publisher."""
