"""Pictures to measurements: video and landmarks to joint angles, repetitions and a score."""
