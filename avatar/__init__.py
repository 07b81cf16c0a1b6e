"""Her body: what the face does at every moment, and where it is shown."""
