"""A local Azure Speech service for tests, as strict as the documented protocol."""
