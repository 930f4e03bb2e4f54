"""The foot's own axes."""
