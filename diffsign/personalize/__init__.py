"""Fine-tuning a family on one subject from a few pictures (DreamBooth with prior preservation, as a LoRA)."""
