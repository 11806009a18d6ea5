"""Recipe of the face detector and its command; needs Lightning."""
