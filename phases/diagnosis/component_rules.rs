//! What static Pods' components say in their last line, or again and again while they run, and what it means.

use super::rules::Rule;

/// The kernel has ended it.
pub(super) const OUT_OF_MEMORY: Rule = Rule {
    id: "out-of-memory",
    says: &[],
    after: 1,
    why: "the kernel has killed it for lack of memory",
    fix: "free -h: give the machine more memory (a control plane needs 1700 MB), or stop what else uses it",
};

/// Sources: Go's net, os, tls and pflag packages, whose words all components share; kube-apiserver's own.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { id: "bad-flag", says: &["unknown flag"], after: 1,
        why: "it has no such flag",
        fix: "correct the name in {arguments}, then run the same command again with --restart" },
    Rule { id: "bad-flag", says: &["flag provided but not defined"], after: 1,
        why: "it has no such flag",
        fix: "correct the name in {arguments}, then run the same command again with --restart" },
    Rule { id: "bad-value", says: &["invalid argument"], after: 1,
        why: "it does not take this value for the flag",
        fix: "correct the value in {arguments}, then run the same command again with --restart" },
    Rule { id: "bad-value", says: &["unrecognized feature gate"], after: 1,
        why: "this release has no such feature gate",
        fix: "remove the gate from feature-gates in {arguments}, then run the same command again with --restart" },
    Rule { id: "bad-value", says: &["admission-control plugin", "unknown"], after: 1,
        why: "this release has no such admission plugin",
        fix: "correct enable-admission-plugins in {arguments}, then run the same command again with --restart" },
    Rule { id: "bad-value", says: &["enable-admission-plugins plugin"], after: 1,
        why: "this release has no such admission plugin",
        fix: "correct enable-admission-plugins in {arguments}, then run the same command again with --restart" },
    Rule { id: "bad-value", says: &["invalid value", "for flag"], after: 1,
        why: "it does not take this value for the flag",
        fix: "correct the value in {arguments}, then run the same command again with --restart" },
    Rule { id: "pid-limit", says: &["failed to create new os thread"], after: 1,
        why: "its Pod may not have as many processes and threads as it needs",
        fix: "raise or remove podPidsLimit in the KubeletConfiguration document, or TasksMax of the kubelet's slice, then run the same command again with --restart" },
    Rule { id: "pid-limit", says: &["newosproc"], after: 1,
        why: "its Pod may not have as many processes and threads as it needs",
        fix: "raise or remove podPidsLimit in the KubeletConfiguration document, or TasksMax of the kubelet's slice, then run the same command again with --restart" },
    Rule { id: "pid-limit", says: &["pthread_create failed"], after: 1,
        why: "its Pod may not have as many processes and threads as it needs",
        fix: "raise or remove podPidsLimit in the KubeletConfiguration document, or TasksMax of the kubelet's slice, then run the same command again with --restart" },
    Rule { id: "proxy", says: &["proxyconnect"], after: 1,
        why: "it talks to the API server through the proxy of its environment, and the proxy does not let it",
        fix: "add the API server's address to NO_PROXY, then run the same command again: the manifest is made anew" },
    Rule { id: "port-taken", says: &["address already in use"], after: 1,
        why: "another program holds its port",
        fix: "stop that program, then run the same command again; or give the component another port, with --restart" },
    Rule { id: "no-address", says: &["cannot assign requested address"], after: 1,
        why: "the address it should listen on is not this machine's",
        fix: "ip -brief address: give --apiserver-advertise-address one of these, then run the same command again with --restart" },
    Rule { id: "disk-full", says: &["no space left on device"], after: 1,
        why: "the disk is full",
        fix: "df -h: free space, then run the same command again" },
    Rule { id: "key-mismatch", says: &["private key does not match public key"], after: 1,
        why: "a certificate and its key do not belong together",
        fix: "remove the pair that the log names from the certificate folder and run the same command again: it is made anew" },
    Rule { id: "file-missing", says: &["no such file or directory"], after: 2,
        why: "a file that its flags name is not there, or not mounted into its Pod",
        fix: "put the file in place and mount it ({arguments} and extraVolumes), then run the same command again with --restart" },
    Rule { id: "bad-file", says: &["audit policy file", "failed"], after: 1,
        why: "the file of audit-policy-file is no valid audit policy",
        fix: "correct the file that the line names, then run the same command again" },
    Rule { id: "bad-file", says: &["encryption provider config", "error"], after: 1,
        why: "the file of encryption-provider-config is not valid",
        fix: "correct the file that the line names, then run the same command again" },
    Rule { id: "file-unreadable", says: &["permission denied"], after: 2,
        why: "it may not read a file or folder that its flags name",
        fix: "correct owner and mode of what the line names, then run the same command again" },
    Rule { id: "etcd-certificate-refused", says: &["authentication handshake failed"], after: 1,
        why: "etcd and API server do not accept each other's certificates: they are signed by different CAs, expired, or lack a name",
        fix: "kubestrap certs check-expiration; certificates of one CA are made anew with: kubestrap init phase certs all" },
    Rule { id: "etcd-certificate-refused", says: &["bad certificate"], after: 1,
        why: "etcd and API server do not accept each other's certificates: they are signed by different CAs, expired, or lack a name",
        fix: "kubestrap certs check-expiration; certificates of one CA are made anew with: kubestrap init phase certs all" },
    Rule { id: "certificate-expired", says: &["x509", "expired or is not yet valid"], after: 1,
        why: "a certificate is not valid at this machine's time: it has expired, or the clock is wrong",
        fix: "date -u; kubestrap certs check-expiration; kubestrap certs renew all" },
    Rule { id: "bad-certificate", says: &["x509"], after: 1,
        why: "a certificate is not accepted",
        fix: "kubestrap certs check-expiration, and correct the certificate that the line names" },
    Rule { id: "bad-certificate", says: &["certificate"], after: 2,
        why: "a certificate is not accepted",
        fix: "kubestrap certs check-expiration, and correct the certificate that the line names" },
];

/// Sources: etcd 3.4 to 3.6, `server/etcdserver`, `server/storage`.
#[rustfmt::skip]
pub(super) const ETCD: &[Rule] = &[
    Rule { id: "data-of-another-cluster", says: &["member count is unequal"], after: 1,
        why: "its data belongs to another cluster",
        fix: "kubestrap reset removes the data; keep a copy first if you are not sure: cp -a /var/lib/etcd /root/" },
    Rule { id: "data-of-another-cluster", says: &["has already been bootstrapped"], after: 1,
        why: "its member ID is known to a cluster that it has no data of",
        fix: "remove the member there (etcdctl member remove), then kubestrap reset and join again" },
    Rule { id: "data-of-another-cluster", says: &["cluster id mismatch"], after: 1,
        why: "its data belongs to another cluster",
        fix: "kubestrap reset removes the data; keep a copy first if you are not sure: cp -a /var/lib/etcd /root/" },
    Rule { id: "member-removed", says: &["permanently removed"], after: 1,
        why: "the other members have removed it from the cluster",
        fix: "kubestrap reset on this node, then join it again" },
    Rule { id: "member-mismatch", says: &["couldn't find local name"], after: 1,
        why: "--initial-cluster does not name this member: its name or peer address has changed",
        fix: "kubestrap reset on this node, then run the same command again" },
    Rule { id: "data-corrupt", says: &["crc mismatch"], after: 1,
        why: "its write-ahead log is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["wal", "unexpected eof"], after: 1,
        why: "its write-ahead log is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["etcdmain: wal:"], after: 1,
        why: "its write-ahead log is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["failed to read wal"], after: 1,
        why: "its write-ahead log is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["invalid database"], after: 1,
        why: "its database file is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["failed to recover", "snapshot"], after: 1,
        why: "its database is older than its snapshot: part of the data folder is lost",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["panic", "freepages"], after: 1,
        why: "its database file is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-locked", says: &["resource temporarily unavailable"], after: 2,
        why: "another etcd uses the same data folder",
        fix: "pgrep -a etcd: stop the other one, then run the same command again" },
];

/// What only the API server says of etcd.
#[rustfmt::skip]
pub(super) const APISERVER: &[Rule] = &[
    Rule { id: "etcd-away", says: &["context deadline exceeded"], after: 2,
        why: "etcd does not answer it",
        fix: "see why etcd does not: ls /var/log/pods | grep etcd" },
    Rule { id: "etcd-away", says: &["connection refused", ":2379"], after: 2,
        why: "etcd does not answer it",
        fix: "see why etcd does not: ls /var/log/pods | grep etcd" },
];

/// What a running API server says several times and does not get over by itself.
#[rustfmt::skip]
pub(super) const RUNNING_APISERVER: &[Rule] = &[
    Rule { id: "etcd-certificate-refused", says: &["authentication handshake failed"], after: 3,
        why: "etcd and API server do not accept each other's certificates: they are signed by different CAs, expired, or lack a name",
        fix: "kubestrap certs check-expiration; certificates of one CA are made anew with: kubestrap init phase certs all; correct etcd-cafile and etcd-certfile in {arguments} where they are set" },
    Rule { id: "etcd-certificate-refused", says: &["remote error: tls", "certificate"], after: 3,
        why: "etcd does not accept the API server's client certificate",
        fix: "kubestrap certs check-expiration; certificates of one CA are made anew with: kubestrap init phase certs all; correct etcd-certfile in {arguments} where it is set" },
];

/// What a running controller manager or scheduler says and does not get over by itself.
#[rustfmt::skip]
pub(super) const RUNNING_DEPENDENT: &[Rule] = &[
    Rule { id: "proxy", says: &["proxyconnect"], after: 1,
        why: "it talks to the API server through the proxy of its environment, and the proxy does not let it",
        fix: "add the API server's address to NO_PROXY, then run the same command again: the manifest is made anew" },
];

/// Its flags lead past the etcd of this node.
pub(super) const ELSEWHERE: Rule = Rule {
    id: "etcd-away",
    says: &["connection refused"],
    after: 3,
    why: "it looks for etcd where none listens; the etcd of this node listens on port 2379",
    fix: "remove etcd-servers from {arguments}, or correct it, then run the same command again with --restart",
};
