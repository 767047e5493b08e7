"""Training the network behind the embeddings that come with earmark."""
