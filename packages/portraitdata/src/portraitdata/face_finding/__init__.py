"""What the face detector that comes with faceops learns from: labels, drawn scenes, targets, losses."""
