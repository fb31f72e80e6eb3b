"""Files of other skeletons, in the forms in which they are published."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.vision.figure import figure
from vision.errors import UnreadableSeries
from vision.kinematics import joint_angle, observed_view
from vision.landmarks import Landmark, LandmarkSeries
from vision.place import on_the_spot
from vision.skeletons import intellirehabds, keraal, kimore, rehab24_6, ui_prmd
from vision.skeletons.joint_centres import RigidBody, centre_of_rotation
from vision.skeletons.kinect import JOINTS, seconds, series_of_kinect
from vision.skeletons.motion_capture import series_of_positions

KERAAL = Path(__file__).parent / "data/keraal"
N = 30
BEND = np.linspace(10.0, 120.0, N)


def moving(turn_deg: float = 0.0) -> LandmarkSeries:
    return figure({"elbow_flexion": BEND, "shoulder_abduction": BEND / 2}, turn_deg=turn_deg)


def kinect_positions(series: LandmarkSeries) -> np.ndarray:
    """(N, 25, 3) in Kinect's camera space: x to the sensor's left, y up, two metres away."""
    positions = np.zeros((series.frame_count, 25, 3))
    for index, joint in enumerate(JOINTS):
        for side in ("Left", "Right"):
            name = f"{side}_{joint.removesuffix(side)}".upper().replace("_FOOT", "_FOOT_INDEX")
            if joint.endswith(side) and name in Landmark.__members__:
                positions[:, index] = series.world[:, Landmark[name]]
    return positions * [-1.0, -1.0, 1.0] + [0.1, 0.2, 2.0]


def same_angles(read: LandmarkSeries, made: LandmarkSeries) -> None:
    for name in ("elbow_flexion", "shoulder_abduction", "trunk_lateral_flexion"):
        for side in ("left", "right"):
            expected = joint_angle(made, name, side)  # type: ignore[arg-type]
            assert joint_angle(read, name, side) == pytest.approx(expected, abs=1.0)  # type: ignore[arg-type]


def test_kinect_joints_become_landmarks_with_the_sensors_left_at_the_pictures_left() -> None:
    series = series_of_kinect(np.arange(N) / 30, kinect_positions(moving()))
    same_angles(series, moving())
    assert series.depth_is_measured
    # A person who faces the camera has the left shoulder at the picture's right.
    left, right = (series.image[:, Landmark[f"{s}_SHOULDER"], 0] for s in ("LEFT", "RIGHT"))
    assert (left > right).all()
    assert np.nanmin(series.image) > 0
    assert np.nanmax(series.image) < 1


def test_joints_that_a_skeleton_lacks_are_not_seen() -> None:
    series = series_of_kinect(np.arange(N) / 30, kinect_positions(moving()))
    for lacking in (Landmark.NOSE, Landmark.LEFT_EAR, Landmark.LEFT_HEEL):
        assert np.isnan(series.world[:, lacking]).all()
        assert (series.visibility[:, lacking] == 0).all()
    assert np.isnan(joint_angle(series, "neck_rotation", "left")).all()


def test_tracking_states_become_visibility_and_fill_nothing() -> None:
    states = np.full((N, 25), 2.0)
    states[5, JOINTS.index("ElbowLeft")] = 0
    states[6, JOINTS.index("ElbowLeft")] = 1
    series = series_of_kinect(np.arange(N) / 30, kinect_positions(moving()), states)
    elbow = Landmark.LEFT_ELBOW
    assert np.isnan(series.world[5, elbow]).all()
    assert series.visibility[5, elbow] == 0
    assert np.isfinite(series.world[6, elbow]).all()
    measured = np.isfinite(joint_angle(series, "elbow_flexion", "left"))
    assert list(np.flatnonzero(~measured)) == [5, 6]


@pytest.mark.parametrize("unit_s", [1.0, 1e-3, 1e-6, 1e-7])
def test_the_unit_of_time_stamps_is_told_from_kinects_frame_rate(unit_s: float) -> None:
    irregular = np.cumsum(np.array([0.033, 0.034, 0.066, 0.033, 0.033]))
    assert seconds((irregular + 9.0) / unit_s) == pytest.approx(irregular - irregular[0])


def test_time_stamps_of_no_known_unit_are_refused() -> None:
    with pytest.raises(UnreadableSeries, match="time stamps"):
        seconds(np.arange(10) * 3e-3)


@pytest.mark.parametrize("turn", [0.0, 70.0, 180.0])
def test_motion_capture_is_seen_from_in_front_wherever_the_person_faces(turn: float) -> None:
    made = moving(turn)
    tracks = {mark: made.world[:, mark] + [3.0, 0.0, -1.0] for mark in Landmark}
    series = series_of_positions(made.t_s, tracks, camera="in front")
    assert observed_view(series) == "frontal"
    assert (series.image[:, Landmark.LEFT_HIP, 0] > series.image[:, Landmark.RIGHT_HIP, 0]).all()
    assert on_the_spot(series).all()
    same_angles(series, moving())


def test_joints_in_millimetres_are_no_person_in_metres() -> None:
    made = moving()
    tracks = {mark: 1000 * made.world[:, mark] for mark in Landmark}
    with pytest.raises(UnreadableSeries, match="not a person"):
        series_of_positions(made.t_s, tracks, camera="as given")


def test_a_joint_centre_is_found_where_two_bodies_turn_about_one_point() -> None:
    rng = np.random.default_rng(4)
    turns = [Rotation.from_rotvec(rng.normal(0, 0.8, (60, 3))).as_matrix() for _ in range(2)]
    joint = rng.normal(0, 0.2, (60, 3))
    inside = np.array([[0.1, -0.05, 0.02], [-0.2, 0.03, 0.01]])
    bodies = [RigidBody(joint - t @ p, t) for t, p in zip(turns, inside, strict=True)]
    centre = centre_of_rotation(*bodies)
    assert centre.track == pytest.approx(joint, abs=1e-9)
    assert centre.spread < 1e-9
    assert centre.reach > 0.1


# KERAAL


def test_the_four_views_of_one_keraal_performance_agree() -> None:
    vicon = keraal.read_vicon(KERAAL / "G3-Vicon-ELK-P1T1-Unknown-C-0.txt.gz", fps=60.0)
    size = {"width": 1920, "height": 1080, "fps": 30.0}
    others = [
        keraal.read_kinect(KERAAL / "G3-Kinect-ELK-P1T1-Unknown-C-0.txt.gz", fps=30.0),
        keraal.read_openpose(KERAAL / "G3-OP-ELK-P1T1-Unknown-C-0.json.gz", **size),  # type: ignore[arg-type]
        keraal.read_alphapose(KERAAL / "G3-AP-ELK-P1T1-Unknown-C-0.json.gz", **size),  # type: ignore[arg-type]
    ]
    for side, raised_s in (("left", (4.0, 5.0)), ("right", (1.2, 2.4))):
        for series in (vicon, *others):
            angle = joint_angle(series, "shoulder_abduction", side)  # type: ignore[arg-type]
            raised = (series.t_s >= raised_s[0]) & (series.t_s <= raised_s[1])
            assert np.nanmedian(angle[raised]) > 120
            assert np.nanmedian(angle[:20]) < 45


@pytest.mark.parametrize("exercise", ["CTK", "ELK"])
def test_arms_found_from_keraals_motion_capture_keep_their_length(exercise: str) -> None:
    path = KERAAL / f"G3-Vicon-{exercise}-P1T1-Unknown-C-0.txt.gz"
    world = keraal.read_vicon(path, fps=60.0).world
    for side in ("LEFT", "RIGHT"):
        for upper, lower in (("SHOULDER", "ELBOW"), ("ELBOW", "WRIST")):
            bone = world[:, Landmark[f"{side}_{upper}"]] - world[:, Landmark[f"{side}_{lower}"]]
            length = np.linalg.norm(bone, axis=1)
            assert 0.22 < length.mean() < 0.33
            assert length.std() < 0.01


def test_frames_and_joints_that_keraal_leaves_out_stay_out() -> None:
    size = {"width": 1920, "height": 1080, "fps": 30.0}
    alphapose = keraal.read_alphapose(KERAAL / "G3-AP-CTK-P1T1-Unknown-C-0.json.gz", **size)  # type: ignore[arg-type]
    assert np.diff(alphapose.t_s).max() == pytest.approx(2 / 30)
    openpose = keraal.read_openpose(KERAAL / "G3-OP-CTK-P1T1-Unknown-C-0.json.gz", **size)  # type: ignore[arg-type]
    assert not openpose.found.all()


def test_a_keraal_file_name_says_who_did_what_and_whether_correctly() -> None:
    recording = keraal.recording_of(KERAAL / "G3-BP-CTK-P1T1-Unknown-C-0.json")
    assert recording == keraal.Recording("BP", "CTK", 1, 1, "C")
    assert recording.correct
    assert keraal.recording_of(Path("clip.mp4")) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "empty"), ("1 2 3", "3 columns in row 1, expected 119"), ("\xff", "expected 119")],
)
def test_a_file_that_is_no_vicon_table_says_why(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(content)
    with pytest.raises(UnreadableSeries, match=message):
        keraal.read_vicon(tmp_path / "v.txt", fps=60.0)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"1 2 3\n" * 100)
    (tmp_path / "v.txt.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UnreadableSeries, match="not text"):
        keraal.read_kinect(tmp_path / "v.txt.gz", fps=30.0)


# KIMORE


def kimore_folder(root: Path, score: float = 42.5, state: float = 2.0) -> Path:
    folder = root / "CG/Expert/E_ID1/Es1"
    (folder / "Raw").mkdir(parents=True)
    (folder / "Label").mkdir()
    joints = np.concatenate([kinect_positions(moving()), np.full((N, 25, 1), state)], axis=2)
    rows = [",".join(f"{value:.6f}" for value in frame.ravel()) + "," for frame in joints]
    (folder / "Raw/JointPosition230414_1.csv").write_text("\n\n".join(rows))
    ticks = 636_000_000_000 + np.cumsum(np.full(N, 333_333))
    (folder / "Raw/TimeStamp230414_1.csv").write_text("\n".join(f"{tick}," for tick in ticks))
    heads = ["Subject ID", *(f"clinical TS Ex#{n}" for n in range(1, 6))]
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = "".join(f'<c r="{"ABCDEF"[n]}1" t="s"><v>{n}</v></c>' for n in range(6))
    values = "".join(f'<c r="{"BCDEF"[n]}2"><v>{score + n}</v></c>' for n in range(5))
    texts = "".join(f"<si><t>{head}</t></si>" for head in heads)
    with zipfile.ZipFile(folder / "Label/ClinicalAssessment_E_ID1.xlsx", "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{texts}</sst>")
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet {space}><sheetData><row r="1">{cells}</row>'
            f'<row r="2">{values}</row></sheetData></worksheet>',
        )
    return folder


def test_a_kimore_exercise_is_read_with_its_times_and_its_clinical_score(tmp_path: Path) -> None:
    folder = kimore_folder(tmp_path)
    series = kimore.read_exercise(folder)
    same_angles(series, moving())
    assert series.fps == pytest.approx(30.0, abs=0.01)
    assert kimore.exercise_number(folder) == 1
    assert kimore.clinical_score(folder) == 42.5


def test_a_kimore_exercise_without_tracking_states_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSeries, match="tracking state"):
        kimore.read_exercise(kimore_folder(tmp_path, state=0.7))


def test_a_kimore_score_beyond_fifty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSeries, match="0 to 50"):
        kimore.clinical_score(kimore_folder(tmp_path, score=60.0))


def test_a_kimore_folder_without_label_says_so(tmp_path: Path) -> None:
    folder = kimore_folder(tmp_path)
    next((folder / "Label").iterdir()).unlink()
    with pytest.raises(UnreadableSeries, match="0 files Label"):
        kimore.clinical_score(folder)


# UI-PRMD


def ui_prmd_files(root: Path, trunk_deg: float = 0.0) -> Path:
    """Arms that turn about the shoulders in the frontal plane, in cm and deg as published."""
    offsets = np.zeros((N, 22, 3))
    turns = np.zeros((N, 22, 3))
    offsets[:, 0] = (-8.0, 81.0, -242.0)
    for joint, offset in (
        (1, (0, 30, 0)),
        (2, (0, 22, 0)),
        (3, (0, 1, 0)),
        (4, (0, 6, 0)),
        (5, (0, 16, 0)),
    ):
        offsets[:, joint] = offset
    for sign, arm, leg in ((1, 6, 14), (-1, 10, 18)):
        offsets[:, arm] = (sign * 2, 0, 0)
        offsets[:, arm + 1] = (sign * 16, 0, 0)
        offsets[:, arm + 2] = (sign * 27, 0, 0)
        offsets[:, arm + 3] = (sign * 24, 0, 0)
        turns[:, arm + 1, 2] = sign * (BEND - 90.0)
        offsets[:, leg] = (sign * 7.4, 0, 3.7)
        offsets[:, leg + 1] = offsets[:, leg + 2] = (0, -35, 0)
        offsets[:, leg + 3] = (0, 0, 12.5)
    turns[:, 0, 0] = trunk_deg
    for kind, values in (("Positions", offsets), ("Angles", turns)):
        folder = root / "Segmented Movements/Kinect" / kind
        folder.mkdir(parents=True)
        rows = [",".join(f"{value:.5f}" for value in frame.ravel()) for frame in values]
        (folder / f"m07_s01_e01_{kind.lower()}.txt").write_text("\n".join(rows))
    return root / "Segmented Movements/Kinect/Positions/m07_s01_e01_positions.txt"


def test_a_ui_prmd_repetition_is_put_together_from_positions_and_angles(tmp_path: Path) -> None:
    path = ui_prmd_files(tmp_path)
    series = ui_prmd.read_kinect(path, ui_prmd.angles_beside(path))
    assert series.depth_is_measured
    assert observed_view(series) == "frontal"
    for side in ("left", "right"):
        raised = joint_angle(series, "shoulder_abduction", side)  # type: ignore[arg-type]
        # The line shoulder→hip leans inwards: shoulders 36, hips 15 cm apart, 52 cm below.
        assert raised == pytest.approx(BEND + np.degrees(np.arctan2(10.6, 52.0)), abs=1.0)
        straight = joint_angle(series, "elbow_flexion", side)  # type: ignore[arg-type]
        assert straight == pytest.approx(np.zeros(N), abs=0.1)
    left, right = (series.image[:, Landmark[f"{s}_HIP"], 0] for s in ("LEFT", "RIGHT"))
    assert (left > right).all()


def test_the_pelvis_turns_all_that_hangs_from_it(tmp_path: Path) -> None:
    path = ui_prmd_files(tmp_path, trunk_deg=30.0)
    series = ui_prmd.read_kinect(path, ui_prmd.angles_beside(path))
    # Turned about x, which points to the person's left, the spine falls forwards.
    lean = joint_angle(series, "trunk_flexion", "left")
    assert (lean > 25).all()


@pytest.mark.parametrize(
    ("name", "correct"),
    [("m07_s01_e10_positions.txt", True), ("m07_s01_e10_positions_inc.txt", False)],
)
def test_a_ui_prmd_file_name_says_whether_it_was_correct(name: str, correct: bool) -> None:
    assert ui_prmd.episode_of(Path(name)) == ui_prmd.Episode(7, 1, 10, correct)


def test_ui_prmds_vicon_recordings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m01_s01_e01_positions.txt").write_text(",".join(["0"] * 117))
    with pytest.raises(UnreadableSeries, match="Vicon"):
        ui_prmd.read_kinect(tmp_path / "m01_s01_e01_positions.txt", tmp_path / "none.txt")


# IntelliRehabDS


def _state(joint: str) -> str:
    return "NotTracked" if joint == "ThumbLeft" else "Tracked"


def irds_file(root: Path, *, stranger: bool = False, cut: bool = False) -> Path:
    lines = ["Version0.1"]
    for frame, joints in enumerate(kinect_positions(moving())):
        cells = ",".join(
            f"({name},{_state(name)},{x:.5f},{y:.5f},{z:.5f},-∞,1)"
            for name, (x, y, z) in zip(JOINTS, joints, strict=True)
        )
        lines.append(f"{51615 + frame},3,{6632 + 33.3 * frame:.0f},{cells}")
        if stranger and frame % 3 == 0:
            lines.append(f"{51615 + frame},5,{6632 + 33.3 * frame:.0f},{cells.replace('0.', '1.')}")
    if cut:
        lines[10] = lines[10][:400]
    path = root / "303_18_4_10_1_stand.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_an_irds_gesture_is_read_with_its_times(tmp_path: Path) -> None:
    series = intellirehabds.read_gesture(irds_file(tmp_path))
    same_angles(series, moving())
    assert series.fps == pytest.approx(30.0, abs=0.5)


def test_a_second_body_in_an_irds_file_is_left_out(tmp_path: Path) -> None:
    series = intellirehabds.read_gesture(irds_file(tmp_path, stranger=True))
    same_angles(series, moving())


def test_a_line_cut_off_is_a_gap(tmp_path: Path) -> None:
    series = intellirehabds.read_gesture(irds_file(tmp_path, cut=True))
    assert series.frame_count == N - 1
    assert np.diff(series.t_s).max() == pytest.approx(0.067, abs=0.002)


def test_an_irds_file_name_says_what_it_is() -> None:
    gesture = intellirehabds.gesture_of(Path("303_18_4_10_1_stand.txt"))
    assert gesture == intellirehabds.Gesture("303", 4, 10, "correct", "stand")
    assert intellirehabds.gesture_of(Path("303_18_9_10_1_stand.txt")) is None


def test_irds_simplified_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("\n".join([",".join(["0.1"] * 75)] * 3))
    with pytest.raises(UnreadableSeries, match="no frame of 25 joints"):
        intellirehabds.read_gesture(tmp_path / "x.txt")


# REHAB24-6

OPTITRACK = {"SHOULDER": "UArm", "ELBOW": "FArm", "WRIST": "Hand", "HIP": "Thigh", "KNEE": "Shin"}


def rehab_files(root: Path, names: dict[str, str], prefixes: tuple[str, str]) -> tuple[Path, Path]:
    made = moving(50.0)
    joints = np.ones((N, 26, 4))
    lines = []
    for side, prefix in zip(("LEFT", "RIGHT"), prefixes, strict=True):
        for joint, name in {**names, "ANKLE": "Foot"}.items():
            joints[:, len(lines), :3] = made.world[:, Landmark[f"{side}_{joint}"]] * [1, -1, -1]
            lines.append(f"{len(lines)}: {prefix}{name}")
    (root / "joints_names.txt").write_text("\n".join(lines))
    np.save(root / "PM_000-30fps.npy", joints.astype(np.float32))
    return root / "PM_000-30fps.npy", root / "joints_names.txt"


def test_rehab24_6_joints_are_read_by_the_sets_own_names_and_seen_from_in_front(
    tmp_path: Path,
) -> None:
    bvh = dict(zip(OPTITRACK, ("Arm", "ForeArm", "Hand", "UpLeg", "Leg"), strict=True))
    for names, prefixes in ((OPTITRACK, ("L", "R")), (bvh, ("Left", "Right"))):
        series = rehab24_6.read_joints(*rehab_files(tmp_path, names, prefixes))
        assert observed_view(series) == "frontal"
        same_angles(series, moving())


def test_rehab24_6_joints_with_other_names_are_refused(tmp_path: Path) -> None:
    files = rehab_files(tmp_path, dict.fromkeys(OPTITRACK, "Bone"), ("L", "R"))
    with pytest.raises(UnreadableSeries, match="no known way"):
        rehab24_6.read_joints(*files)


def test_rehab24_6_segmentation_counts_frames_from_one(tmp_path: Path) -> None:
    path = tmp_path / "Segmentation.csv"
    path.write_text(
        "video_id;repetition_number;exercise_id;person_id;first_frame;last_frame;"
        "cam17_orientation;mocap_erroneous;exercise_subtype;correctness\n"
        "PM_000;1;6;3;1;90;front;0;;1\n"
    )
    assert rehab24_6.read_segmentation(path) == [
        rehab24_6.Repetition("PM_000", 6, "3", 0, 89, correct=True, capture_failed=False)
    ]
    path.write_text("video_id;exercise_id\nPM_000;6\n")
    with pytest.raises(UnreadableSeries, match="segmentation"):
        rehab24_6.read_segmentation(path)
