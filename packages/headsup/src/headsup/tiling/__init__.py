"""Pictures of any size within a stated memory: tiles of the latent, tiles of the autoencoder, seams measured."""
