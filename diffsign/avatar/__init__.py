"""The avatar that Blender renders: appearance, hair, surfaces, scene."""
