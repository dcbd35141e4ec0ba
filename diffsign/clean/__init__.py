"""Filter keypoints: swaps undone, impossible points taken out, short gaps filled, noise smoothed.

Pure functions on arrays. Missing points are NaN between them; what was done is noted per point and frame.
"""
