"""Prompt building, memory, and the brains: Llama, OpenAI-compatible servers, the understudy."""
