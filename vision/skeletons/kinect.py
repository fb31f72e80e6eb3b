"""The 25 joints of Kinect v2, whatever file they come from.

Camera space is in metres, right-handed: x to the sensor's left, y up, z away from it (Microsoft,
Kinect for Windows SDK 2.0, Coordinate mapping). Seen unmirrored, the sensor's left is the
picture's left, so that x and y change their signs here. Kinect's head is its middle: it has no
nose and no ears, so the neck is not measured; its foot has no heel, so the ankle is not either.
"""

from __future__ import annotations

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import Array, Landmark, LandmarkSeries
from vision.skeletons.motion_capture import series_of_positions

JOINTS = (
    "SpineBase",
    "SpineMid",
    "Neck",
    "Head",
    "ShoulderLeft",
    "ElbowLeft",
    "WristLeft",
    "HandLeft",
    "ShoulderRight",
    "ElbowRight",
    "WristRight",
    "HandRight",
    "HipLeft",
    "KneeLeft",
    "AnkleLeft",
    "FootLeft",
    "HipRight",
    "KneeRight",
    "AnkleRight",
    "FootRight",
    "SpineShoulder",
    "HandTipLeft",
    "ThumbLeft",
    "HandTipRight",
    "ThumbRight",
)

_LANDMARKS = {
    Landmark[f"{side.upper()}_{landmark}"]: JOINTS.index(f"{joint}{side}")
    for side in ("Left", "Right")
    for landmark, joint in (
        ("SHOULDER", "Shoulder"),
        ("ELBOW", "Elbow"),
        ("WRIST", "Wrist"),
        ("HIP", "Hip"),
        ("KNEE", "Knee"),
        ("ANKLE", "Ankle"),
        ("FOOT_INDEX", "Foot"),
    )
}

NOT_TRACKED, INFERRED, TRACKED = 0, 1, 2

# An inferred joint is Kinect's guess from its neighbours: below the half that counts as seen.
_VISIBILITY = np.array([0.0, 0.3, 1.0])


def series_of_kinect(t_s: Array, positions: Array, states: Array | None = None) -> LandmarkSeries:
    """The series of (N, 25, 3) `positions` in camera space and (N, 25) tracking `states` 0–2.

    A joint that was not tracked has no position.

    Raises:
        UnreadableSeries: the times do not increase, or no joint has a position.
    """
    camera = positions * [-1.0, -1.0, 1.0]
    if states is None:
        tracks = {landmark: camera[:, joint] for landmark, joint in _LANDMARKS.items()}
        return series_of_positions(t_s, tracks, camera="as given")
    camera = np.where(states[..., None] == NOT_TRACKED, np.nan, camera)
    seen = _VISIBILITY[states.astype(np.intp)]
    return series_of_positions(
        t_s,
        {landmark: camera[:, joint] for landmark, joint in _LANDMARKS.items()},
        {landmark: seen[:, joint] for landmark, joint in _LANDMARKS.items()},
        camera="as given",
    )


# Kinect v2 gives 30 frames a second, 15 in dim light; a factor of ten lies between any two units.
_SLOWEST_S, _FASTEST_S = 1 / 10, 1 / 60
_UNITS_S = (1.0, 1e-3, 1e-6, 1e-7)


def seconds(stamps: Array) -> Array:
    """(N,) s from the start, of time stamps in s, ms, µs or ticks of 100 ns.

    The unit is the one in which the median interval is a frame of Kinect's.

    Raises:
        UnreadableSeries: in none of these units.
    """
    if stamps.size >= 2:
        interval = float(np.median(np.diff(stamps)))
        for unit_s in _UNITS_S:
            if _FASTEST_S <= interval * unit_s <= _SLOWEST_S:
                from_start: Array = (stamps - stamps[0]) * unit_s
                return from_start
    raise UnreadableSeries("The time stamps are not those of 10 to 60 frames a second.")
