"""The studio: the library of pieces and takes, and what the page in ``page/`` asks of this machine."""
