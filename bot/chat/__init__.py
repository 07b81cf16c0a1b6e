"""Where viewers come from."""
