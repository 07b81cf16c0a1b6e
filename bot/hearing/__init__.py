"""Hearing the operator: microphone, voice activity, end of turn, recognisers."""
