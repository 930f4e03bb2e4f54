"""The foot frame: the axes of the foot itself."""
