"""Builds the pose landmarker bundles from the npm package `@mediapipe/pose` (Apache-2.0).

The package carries the detector and landmark networks as bare TFLite files. The Tasks API
wants them in one `.task` archive, each with metadata that says how its input is normalised.
Input and output are checked against recorded digests, so that a changed package or writer is
noticed at build time and not as a changed angle.

    python -m vision.models.build --from node_modules/@mediapipe/pose --out vision/models
"""

from __future__ import annotations

import argparse
import hashlib
import io
import struct
import zipfile
from pathlib import Path

import flatbuffers
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
from mediapipe.tasks.metadata import schema_py_generated as model_schema

DETECTOR = "pose_solution_packed_assets.data"
LANDMARKS = {"lite": "pose_landmark_lite.tflite", "full": "pose_landmark_full.tflite"}

SOURCE_SHA256 = {
    DETECTOR: "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
    "pose_landmark_lite.tflite": "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    "pose_landmark_full.tflite": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
BUNDLE_SHA256 = {
    "lite": "5591782936c6e58993fc7765eb20d87cd04a753c3ced3f03fc912390f12d90aa",
    "full": "dc712e16fcdf031f32778cc1dd97b0d9e2cda4cc688115f9de0ea1175bff0848",
}

# Inputs are RGB 0–255: the detector takes −1…1, the landmark networks 0…1.
_DETECTOR_NORMALIZATION = (127.5, 127.5)
_LANDMARK_NORMALIZATION = (0.0, 255.0)

_METADATA_NAME = "TFLITE_METADATA"
_DATA_ALIGNMENT = 16
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class UnexpectedModel(RuntimeError):
    """A model file is not the one that this build was checked with."""


def build(source: Path, out: Path) -> list[Path]:
    """Writes `pose_landmarker_lite.task` and `_full.task` to `out`; returns their paths.

    Raises:
        UnexpectedModel: an input or output differs from its recorded digest.
    """
    out.mkdir(parents=True, exist_ok=True)
    detector = with_normalization(_checked(source / DETECTOR), *_DETECTOR_NORMALIZATION)
    written = []
    for size, name in LANDMARKS.items():
        landmarks = with_normalization(_checked(source / name), *_LANDMARK_NORMALIZATION)
        bundle = _archive(
            {"pose_detector.tflite": detector, "pose_landmarks_detector.tflite": landmarks}
        )
        _compare(f"pose_landmarker_{size}.task", bundle, BUNDLE_SHA256[size])
        path = out / f"pose_landmarker_{size}.task"
        path.write_bytes(bundle)
        written.append(path)
    return written


def with_normalization(model: bytes, mean: float, std: float) -> bytes:
    """`model` (a TFLite flatbuffer) with NormalizationOptions metadata on its first input."""
    parsed = model_schema.ModelT.InitFromObj(model_schema.Model.GetRootAsModel(model, 0))
    buffer = model_schema.BufferT()
    buffer.data = list(_metadata(mean, std))
    entry = model_schema.MetadataT()
    entry.name = _METADATA_NAME
    entry.buffer = len(parsed.buffers)
    parsed.buffers.append(buffer)
    parsed.metadata = [*(parsed.metadata or []), entry]
    builder = _AligningBuilder(len(model))
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _AligningBuilder(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
    """Keeps the schema's 16-byte alignment of tensor data, which the generated writer forgets."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        wanted = _DATA_ALIGNMENT if elemSize == 1 else alignment
        offset: int = super().StartVector(elemSize, numElems, wanted)
        return offset


def _metadata(mean: float, std: float) -> bytes:
    options = metadata_schema.NormalizationOptionsT()
    options.mean, options.std = [mean], [std]
    unit = metadata_schema.ProcessUnitT()
    unit.optionsType = metadata_schema.ProcessUnitOptions.NormalizationOptions
    unit.options = options
    tensor = metadata_schema.TensorMetadataT()
    tensor.processUnits = [unit]
    subgraph = metadata_schema.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [tensor]
    model = metadata_schema.ModelMetadataT()
    model.subgraphMetadata = [subgraph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), file_identifier=b"M001")
    return bytes(builder.Output())


def _archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            header_end = stream.tell() + 30 + len(name) + 4
            entry.extra = struct.pack("<HH", 0, -header_end % _DATA_ALIGNMENT)
            entry.extra += bytes(-header_end % _DATA_ALIGNMENT)
            archive.writestr(entry, content)
    return stream.getvalue()


def _checked(path: Path) -> bytes:
    content = path.read_bytes()
    _compare(path.name, content, SOURCE_SHA256[path.name])
    return content


def _compare(name: str, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise UnexpectedModel(f"{name}: sha256 is {found}, expected {expected}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for path in build(arguments.source, arguments.out):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
