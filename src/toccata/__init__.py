"""toccata: train a music model on your own MIDI files, and let it write with you."""
