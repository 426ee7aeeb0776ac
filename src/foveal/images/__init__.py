"""From bytes to pixels: formats, bit depth, orientation, DICOM, and one ``Preprocessing``."""

from foveal.images.decoding import ImageSource, count_frames, decode
from foveal.images.encoding import THUMBNAIL_MEDIA_TYPE, thumbnail
from foveal.images.faults import ProblemCode
from foveal.images.formats import (
    SUPPORTED_FORMATS,
    SUPPORTED_SUFFIXES,
    pixel_versions,
    pixel_versions_digest,
    version_differences,
)
from foveal.images.frames import FrameChoice, frame_path
from foveal.images.levels import LevelSummary
from foveal.images.pixels import MAX_PIXELS, DecodedImage, ImageFacts
from foveal.images.preprocessing import PREPROCESSING_VERSION, Preprocessing
from foveal.images.reading import FileContent, frame_of_file, read_content
from foveal.images.resizing import Fit, Interpolation
from foveal.images.set_window import (
    ChosenWindow,
    WindowChoice,
    check_window_choice,
    choose_window,
    describe_window,
)
from foveal.images.views import VIEWS, View
from foveal.images.window import FixedRange, Window

__all__ = [
    "MAX_PIXELS",
    "PREPROCESSING_VERSION",
    "SUPPORTED_FORMATS",
    "SUPPORTED_SUFFIXES",
    "THUMBNAIL_MEDIA_TYPE",
    "VIEWS",
    "ChosenWindow",
    "DecodedImage",
    "FileContent",
    "Fit",
    "FixedRange",
    "FrameChoice",
    "ImageFacts",
    "ImageSource",
    "Interpolation",
    "LevelSummary",
    "Preprocessing",
    "ProblemCode",
    "View",
    "Window",
    "WindowChoice",
    "check_window_choice",
    "choose_window",
    "count_frames",
    "decode",
    "describe_window",
    "frame_of_file",
    "frame_path",
    "pixel_versions",
    "pixel_versions_digest",
    "read_content",
    "thumbnail",
    "version_differences",
]
