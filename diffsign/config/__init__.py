"""Settings of every stage, the config made of them, and the sheets of videos and signers."""
