"""Models loaded by `transformers`, from a folder or the local Hugging Face cache. Nothing is downloaded."""
