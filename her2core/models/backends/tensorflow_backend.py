"""TensorFlow as backend: what the others are held to."""

from collections.abc import Iterator

from her2core.models.backends.reader import Reader
from her2core.models.bundles.bundle import as_keras
from her2core.models.bundles.bundle_files import BundleFiles
from her2core.models.classifier import Classifier


def readers(files: BundleFiles, *, exact: bool) -> Iterator[Reader]:
    """See `her2core.models.backends.choose`; always float32."""
    del exact
    yield Classifier(as_keras(files))
