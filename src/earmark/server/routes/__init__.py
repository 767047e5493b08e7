"""The addresses of the API, by what they are about; each is a thin shell around the studio."""
