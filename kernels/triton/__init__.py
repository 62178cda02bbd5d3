"""The operations in Triton, one a file; imported only by whoever is about to use one."""
