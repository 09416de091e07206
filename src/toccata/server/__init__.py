"""Verbs over HTTP: the decoding threads that many users share, security, limits and metrics."""
