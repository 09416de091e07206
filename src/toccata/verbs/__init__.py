"""Verbs: generators that yield decode jobs and events, are sent what was decoded, and return a Piece."""
