"""The gate: what may come in, what may go out."""
