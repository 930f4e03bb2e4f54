"""From a volume to bones, landmarks and lesions: the models, what they promise, and how they are
run.
"""
