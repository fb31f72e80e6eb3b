"""Runs every benchmark."""

from bench import angle_accuracy, billing, coach, fhir, vision_accuracy, vision_speed

for benchmark in (vision_accuracy, angle_accuracy, fhir, billing, vision_speed, coach):
    print(f"== {benchmark.__name__}")
    benchmark.main()
