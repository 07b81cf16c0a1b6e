"""Phrase cutting and the voices."""
