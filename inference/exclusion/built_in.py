"""Files that hold secrets, by their names: keys, certificates, passwords and the like.

Whatever their case, wherever they lie. No file of a workspace can take one of these in again.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from midfill.inference.exclusion.patterns import Patterns

BUILT_IN = (
    # settings with passwords, but not the examples that are there to be read
    *(".env", ".env.*", ".env-*", ".env_*", "*.env", ".envrc"),
    *("!.env.example", "!.env.sample", "!.env.template", "!.env.dist"),
    *("secrets.*", ".secrets", "secret.json", "secret.toml", "secret.yaml", "secret.yml"),
    # keys and certificates
    *("*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.der", "*.crt", "*.cer", "*.csr"),
    *("*.jks", "*.keystore", "*.bks", "*.ppk", "*.gpg", "*.pgp"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.kdbx", "*.ovpn", "*.keytab"),
    *(".ssh/", ".gnupg/", ".password-store/"),
    # what programs log in with
    *(".netrc", "_netrc", ".npmrc", ".pypirc", ".git-credentials", ".htpasswd", ".pgpass"),
    *(".my.cnf", ".vault-token", ".boto", ".s3cfg", ".terraformrc", "*.tfvars", "*.tfvars.json"),
    *("*.tfstate", "*.tfstate.*", "kubeconfig", "*.kubeconfig", ".kube/", ".aws/", ".azure/"),
    *("**/.config/gcloud/", "**/.config/gh/", "**/.docker/config.json", ".dockercfg"),
    *("**/.cargo/credentials*", "**/.gem/credentials", "**/.m2/settings*.xml"),
    *("credentials.json", "client_secret*.json", "service-account*.json", "service_account*.json"),
    *("credentials.yml.enc", "htpasswd"),
)
"""In the syntax of ``.gitignore``, in lower case."""

_BACKUP = re.compile(r"(~|\.(bak|backup|old|orig|save|swp|tmp))+$", re.IGNORECASE)


@lru_cache(maxsize=4096)
def built_in_pattern(path: str, *, is_folder: bool = False) -> str | None:
    """The built-in pattern that a file or folder falls under by its own name and its folders'.

    A copy that is kept beside, as ``.env~`` and ``server.key.bak``, is as the original.
    """
    path = path.replace("\\", "/").lstrip("/")
    original = path if is_folder else _BACKUP.sub("", path)
    for name in (path, original):
        verdict = _compiled().verdict(name, is_folder=is_folder)
        if verdict is not None and verdict.excluded:
            return BUILT_IN[verdict.line - 1]
    return None


@cache
def _compiled() -> Patterns:
    return Patterns(BUILT_IN, any_case=True)
