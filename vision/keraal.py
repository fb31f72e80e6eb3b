"""The BlazePose reader under its former name."""

from vision.skeletons.keraal import read_blazepose

__all__ = ["read_blazepose"]
