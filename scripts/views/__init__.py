"""What a reader sees of the tree: overview, list, page, and exports for other tools.

`rows` has all that is shown of each file, on top of `checkout.state`. `overview` is its head: how
much is here, and what to do next. `table` draws the rows as the list, `page` as a page of HTML.
`exports` writes the catalogue for tools of people without DVC.
"""
