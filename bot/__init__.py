"""Aneeka: a VTuber companion who goes live from the streamer's own machine."""

__version__ = "0.1.0"
