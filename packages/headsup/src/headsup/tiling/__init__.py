"""Pictures of any size within a stated memory: tiles of the latent and tiles of the autoencoder."""
