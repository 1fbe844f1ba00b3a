"""The command lines of training and evaluation; what they do is in `her2core.training`."""
