"""Host interfaces: every function, every refusal, any value."""
