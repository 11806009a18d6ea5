"""Face recognition: embeddings, and how well they verify a person."""
