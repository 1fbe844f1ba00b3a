"""The image viewer: zoom, layers over the image, and the square that is read, moved on the image.

In: a patch or a slide, and layers. Out: the square that was let go of, or the region clicked on.
Open `component` for what a page hands over, `viewer.js` for what the browser does with it (Leaflet
draws), `routes` for what it asks for.
"""
