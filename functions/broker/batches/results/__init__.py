"""From jobs to files: answers collected shard by shard, put together in order, and erased."""
