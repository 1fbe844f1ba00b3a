"""A decoder for each family of formats: PNG; TIFF; JPEG, BMP and JPEG 2000; what Pillow reads else.

In: a file's bytes. Out: an upright 8-bit sRGB picture, or a sentence on why not. Open
`decoded_image` for what each gives, `samples` for bits and channels, `colour_profiles` for colours.
"""
