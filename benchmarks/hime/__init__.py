"""HIME: the tables of its paper in miniature, on people that nothing was trained on."""
