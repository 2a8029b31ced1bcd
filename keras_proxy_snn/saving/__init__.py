"""Files of weights and models, and the pretrained weights of the package."""
