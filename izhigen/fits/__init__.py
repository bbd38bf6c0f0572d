"""Fits of parameters to spike times, traces and figures."""

from izhigen.fits.features import Features, features
from izhigen.fits.fitting import fit
from izhigen.fits.losses import SpikeLoss, Trains, coincidence, van_rossum, victor_purpura
from izhigen.fits.result import Fit, Profile

__all__ = [
    "Features",
    "Fit",
    "Profile",
    "SpikeLoss",
    "Trains",
    "coincidence",
    "features",
    "fit",
    "van_rossum",
    "victor_purpura",
]
