"""Faces and reference photographs: recognition, matching and reach."""
