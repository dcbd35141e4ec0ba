"""SMPL-X fitted to the keypoints of a clip: all frames together, one shape, one camera.

The objective is SMPLify-X's (Pavlakos et al., CVPR 2019): keypoints of body, hands and face under a
Geman-McClure robustifier, priors on pose, hands, jaw, shape and expression, bending of elbows and
knees, in annealed stages after the camera and the global orientation. To it come 3D bone directions
where the detector gives them, joint limits of the fingers, and accelerations.
"""
