"""Every sentence that a user reads, in English and Korean."""
