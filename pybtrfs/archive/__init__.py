"""Files out of an image, all of them: into a directory of the host, or into a tar archive."""
