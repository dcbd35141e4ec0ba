"""Text to a signed ``.pose``, by spoken-to-signed: words from a lexicon of signs, the rest fingerspelled."""
