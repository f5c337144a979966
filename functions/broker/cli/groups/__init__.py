"""The groups of commands, one in a file; `root.GROUPS` has them all."""
