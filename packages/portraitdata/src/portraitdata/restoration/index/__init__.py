"""The index of portraits: photographs, faces and pairs, and how it is made."""
