"""Body model: builds the default body file, in the format of SMPL-X, from Anny, and measures it."""
