"""Readers of other skeletons: each turns a published file format into a landmark series.

Joints that a skeleton lacks are NaN with visibility 0. Nothing is filled in: a frame that the
file leaves out is missing here too, and a joint that the sensor did not see is not seen.
"""
