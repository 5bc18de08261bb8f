"""As much of curl as a probe from inside the cluster needs: the program of `curlimages/curl`."""
