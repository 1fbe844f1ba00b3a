"""The layers of the custom CNN and of DenseNet121, each network described once."""
