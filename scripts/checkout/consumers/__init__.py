"""Other checkouts that load the files of this tree: link, undo, and what each of them lacks."""
