"""Plan and run: bind and fuse the steps, work parts off, exchange keys, write shards."""
