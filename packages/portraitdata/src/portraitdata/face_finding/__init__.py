"""What the face detector any-turn learns from: labels, drawn scenes, targets, losses."""
