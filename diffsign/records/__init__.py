"""What lies between stages: video clips, keypoints, motion, conditioning, manifests, metrics."""
