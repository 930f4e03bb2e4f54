"""Truth against results -> scores. Never runs a model."""
