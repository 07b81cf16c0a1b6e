"""Real brains for her: which there are, what this machine can bear, how they are fetched, and which one is in use."""
