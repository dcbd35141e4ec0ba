"""A fitted motion filtered in time, on rotations; frames that cannot be trusted are flagged and bridged."""
