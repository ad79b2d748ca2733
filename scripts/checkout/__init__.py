"""Put pinned bytes in their place under models/."""
