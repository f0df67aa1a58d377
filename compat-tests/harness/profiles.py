"""The configurations that the tests run servers with, by name.

Both servers of a comparison get the same zoo.cfg and the same JVM flags (Zabra reads
SERVER_JVMFLAGS as ZooKeeper's scripts do), so reading a configuration is compared as well.
"""

import base64
import hashlib
from dataclasses import dataclass, field


def digest_id(user_password: str) -> str:
    """The id that the digest scheme gives to `user:password`."""
    digest = base64.b64encode(hashlib.sha1(user_password.encode()).digest()).decode()
    return f"{user_password.split(':')[0]}:{digest}"


SUPER = "super:secret"
SUPER_DIGEST = digest_id(SUPER)


@dataclass(frozen=True)
class Profile:
    """One configuration of a server: keys of zoo.cfg, and system properties of the JVM."""

    name: str
    keys: dict[str, str] = field(default_factory=dict)
    # Unless told otherwise a server removes no containers, for it does so when it likes.
    flags: dict[str, str] = field(
        default_factory=lambda: {"znode.container.checkIntervalMs": "3600000"})


PROFILES = {
    profile.name: profile
    for profile in [
        # Everything that is off by default but harmless is on; sessions live long.
        Profile("main", {
            "tickTime": "2000",
            "maxClientCnxns": "0",
            "extendedTypesEnabled": "true",
            "4lw.commands.whitelist": "*",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
        }),
        # As ZooKeeper is out of the box, with short ticks so that sessions can expire in a test.
        Profile("defaults", {"tickTime": "250"}),
        # Hard quotas, and reconfiguration allowed (which a server alone still refuses).
        Profile("strict", {
            "tickTime": "2000",
            "enforceQuota": "true",
            "reconfigEnabled": "true",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
        }),
        # Clients must authenticate; few connections per address; bounded session timeouts.
        Profile("guarded", {
            "tickTime": "2000",
            "maxClientCnxns": "6",
            "minSessionTimeout": "5000",
            "maxSessionTimeout": "7000",
            "enforce.auth.enabled": "true",
            "enforce.auth.schemes": "digest",
        }),
        # Empty containers and outlived TTL nodes go away within a second.
        Profile("reaping", {
            "tickTime": "2000",
            "extendedTypesEnabled": "true",
        }, {
            "znode.container.checkIntervalMs": "200",
            "znode.container.maxNeverUsedIntervalMs": "600",
        }),
        # For random operations: nothing happens by itself, and nothing waits for a disk.
        Profile("random", {
            "tickTime": "2000",
            "maxClientCnxns": "0",
            "extendedTypesEnabled": "true",
            "enforceQuota": "true",
            "forceSync": "no",
            "4lw.commands.whitelist": "*",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
        }),
        # Soaked: sessions outlast elections, or expire within seconds if they are to.
        Profile("soaked", {
            "tickTime": "500",
            "minSessionTimeout": "1000",
            "maxSessionTimeout": "120000",
            "maxClientCnxns": "0",
            "extendedTypesEnabled": "true",
            "4lw.commands.whitelist": "*",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
        }),
        # Restarted by its cases; sessions can expire in a test.
        Profile("restarted", {
            "tickTime": "500",
            "maxClientCnxns": "0",
            "extendedTypesEnabled": "true",
            "4lw.commands.whitelist": "*",
        }),
        # What is seldom configured otherwise.
        Profile("variant", {
            "tickTime": "2000",
            "DigestAuthenticationProvider.digestAlg": "SHA-256",
            "4lw.commands.whitelist": "ruok, stat,isro",
            "nio.sessionlessCnxnTimeout": "1000",
            "closeSessionTxn.enabled": "false",
        }, {"jute.maxbuffer": "5000"}),
        # No ACL is checked at all.
        Profile("open", {"tickTime": "2000", "skipACL": "yes"}),
    ]
}
