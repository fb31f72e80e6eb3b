"""Why a recording can't be scored. Each message is one plain sentence or two for the person."""


class RecordingProblem(ValueError):
    """The recording can't be scored; the message says why and what to do."""


class UnreadableVideo(RecordingProblem):
    """Not a video, or one without a single decodable frame."""


class UnreadableSeries(RecordingProblem):
    """Not a landmark series in a documented format."""


class NobodyFound(RecordingProblem):
    """No frame shows a person."""


class NotMeasurable(RecordingProblem):
    """The library says that a camera can't measure this exercise."""
