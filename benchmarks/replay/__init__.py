"""A benchmark that types real edits, key by key as a person would, into the language server."""
