"""Playback on a sample clock: sound card, browser, none; captions."""
