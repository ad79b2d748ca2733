"""Put pinned files in their place under models/.

`scripts.fetch` passes the selected entries to `parallel`, which calls `obtain` for each of them.
`local` reuses a correct file that is in place or in DVC's cache. For a missing file, `candidates`
yields the team's remote, mirrors and the publisher, whose URL is in sources/NAME.dvc. `obtain`
downloads the first candidate that works to a partial file, and a wrong digest means the next one.
Members of an archive are extracted and verified, and files without a pin are screened. Verified
files are moved into the cache, and `workspace` links them to their paths under models/.
`leftovers` removes what was begun for a file that is in place. `journal` undoes a change of the
catalogue that was cut short, before the catalogue is read.

`state` models where each file is and how big; `plan` says what a fetch would do. `looks` and
`served` remember what publishers answered. `consumers` lets other checkouts use the tree. `tidy`
and `unwanted` make room, and `doctor` runs the `checks`, which change nothing.
"""
