"""From bytes of a file to a checked `Patch`, and from a `Patch` to the networks' input.

In: bytes from outside. Out: `Patch` (upright 8-bit sRGB and the square that is read), or a sentence
why not. Open `image_formats` for what is read of each format, `patches` for `Patch` and the one way
to a network's input, `bounded_decode` and `decode_worker` for decoding under limits, `image_store`
for images kept on disk, `screen` for images on the page, `quality` for what to know before trusting
a verdict.
"""
