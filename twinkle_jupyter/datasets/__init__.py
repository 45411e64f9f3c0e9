"""Records of a user, checked and put in order."""
