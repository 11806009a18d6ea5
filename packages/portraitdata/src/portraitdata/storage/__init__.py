"""Places of files: folders of this machine, and stores that fsspec reaches, S3 and Google Cloud Storage."""
