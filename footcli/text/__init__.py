"""Every sentence that a user reads, in both languages."""
