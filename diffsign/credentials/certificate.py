"""A certificate made for a project: it proves that a film is unchanged, not who made it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from diffsign.files import atomic

YEARS = 10


@dataclass(frozen=True)
class Inputs:
    """What goes into the certificate.

    Attributes:
        organisation: the name that it bears.
    """

    organisation: str = "DiffSign project (self-made certificate)"


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        certificate: the chain (PEM): the signing certificate, then the root that issued it.
        key: the signing certificate's private key (PEM), readable by its owner only.
    """

    certificate: Path
    key: Path


def _name(organisation: str, role: str) -> x509.Name:
    pairs = ((NameOID.ORGANIZATION_NAME, organisation[:64]), (NameOID.COMMON_NAME, role))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])


def _certificate(
    subject: x509.Name, public: ec.EllipticCurvePublicKey, issuer: x509.Name, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Return a certificate; the root's where subject and issuer are the same."""
    root = subject == issuer
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=root,
        crl_sign=root,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not root:
        # C2PA asks for a purpose; that of e-mail is the one of its list that needs no special issuer.
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(signer, hashes.SHA256())


def run(inputs: Inputs, outputs: Outputs, settings: None = None, *, threads: int = 1) -> str:
    """Make a root and a signing certificate (ES256, ten years).

    Returns:
        The line that the command prints.
    """
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name(inputs.organisation, "root"), _name(inputs.organisation, "signing")
    chain = [
        _certificate(name, key.public_key(), root_name, root_key),
        _certificate(root_name, root_key.public_key(), root_name, root_key),
    ]
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with atomic(outputs.key) as temporary:
        temporary.write_bytes(private)
        temporary.chmod(0o600)
    outputs.key.chmod(0o600)
    with atomic(outputs.certificate) as temporary:
        temporary.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain))
    return f"{outputs.certificate}: '{inputs.organisation}', {YEARS} years; keep {outputs.key} to yourself."
