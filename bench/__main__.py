"""Runs every benchmark."""

from bench import vision_accuracy, vision_speed

for benchmark in (vision_accuracy, vision_speed):
    print(f"== {benchmark.__name__}")
    benchmark.main()
