"""DVC's cache and remotes; everything that knows DVC from inside."""
