"""HeadsUp: the tables of its paper in miniature, on portraits that nothing was trained on."""
