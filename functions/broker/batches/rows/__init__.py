"""From a file to jobs: shards planned and released, and rows that run, that are counted, capped and tried again."""
