"""Listening: a source that goes on for weeks heard as it comes, and told in rows with the time of day."""
