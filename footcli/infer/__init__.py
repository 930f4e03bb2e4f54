"""From a volume to bones, landmarks and lesions: the models, their contract and their inference."""
