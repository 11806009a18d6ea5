"""What the training commands of the model packages share; needs Lightning."""
