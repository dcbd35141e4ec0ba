"""Settings of ``diffsign mark``."""

from pydantic import Field, model_validator

from diffsign.config.settings import Settings


class CredentialsSettings(Settings):
    """What a finished film says of itself."""

    signed: bool = Field(default=True, description="Sign content credentials (C2PA) into the film.")
    certificate: str | None = Field(
        default=None,
        description="Your certificate chain (PEM, the signing certificate first); by default one is made for the "
        "project, which proves that a film is unchanged but not who made it.",
    )
    key: str | None = Field(default=None, description="Private key of the certificate (PEM, ES256, not encrypted).")
    invisible: bool = Field(
        default=True,
        description="Mark the pictures invisibly: `diffsign inspect` finds that after the film was encoded again.",
    )
    label: str | None = Field(
        default=None,
        max_length=80,
        description="Words to show in the picture, such as 'synthetic signer'; none by default.",
    )

    @model_validator(mode="after")
    def _both(self) -> "CredentialsSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together; give both or none")
        return self
