//! Rules about how the API server answers our own client: certificates, names, proxies. These do not get better by waiting.

use super::rules::{Rule, first_fit};
use crate::config::NodeConfig;
use crate::problem::Problem;

/// The cause, when the answer names one that waiting cannot cure.
pub(super) fn cause(answer: &str, node: &NodeConfig) -> Option<Problem> {
    let rule = first_fit(RULES, answer)?;
    let kubeconfig = node.layout.kubeconfig("admin.conf").display().to_string();
    Some(rule.problem("the API server cannot be talked to", answer, &[("{kubeconfig}", &kubeconfig)]).at(kubeconfig))
}

/// Sources: rustls' and hyper's words.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { id: "endpoint-expired", says: &["certificate", "expired"], after: 1,
        why: "the API server's certificate has expired, or this machine's clock is wrong",
        fix: "date -u; kubestrap certs check-expiration; kubestrap certs renew apiserver" },
    Rule { id: "endpoint-not-yet-valid", says: &["certificate", "not valid yet"], after: 1,
        why: "the API server's certificate is of the future: this machine's clock is behind",
        fix: "date -u; set the clock (timedatectl set-ntp true), then run the same command again" },
    Rule { id: "endpoint-wrong-name", says: &["certificate", "not valid for name"], after: 1,
        why: "the API server's certificate does not name the address in {kubeconfig}, or something else answers there",
        fix: "add the address to apiServer.certSANs, remove apiserver.crt and apiserver.key, then: kubestrap init phase certs apiserver" },
    Rule { id: "endpoint-wrong-ca", says: &["certificate", "unknownissuer"], after: 1,
        why: "what answers at the address in {kubeconfig} has a certificate of another CA: another cluster, a proxy, or a kubeconfig of an earlier cluster",
        fix: "remove {kubeconfig} if it is of an earlier cluster, then run the same command again with --restart; otherwise correct controlPlaneEndpoint" },
    Rule { id: "endpoint-dns", says: &["failed to lookup address"], after: 1,
        why: "the name in {kubeconfig} cannot be resolved on this machine",
        fix: "mend DNS, or add the name of controlPlaneEndpoint to /etc/hosts, then run the same command again" },
    Rule { id: "endpoint-not-tls", says: &["invalidcontenttype"], after: 1,
        why: "what answers at the address in {kubeconfig} does not speak TLS: another program holds the port",
        fix: "ss -lntp shows who listens there: stop it, then run the same command again" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_own_client_has_said_has_one_cause() {
        for (answer, id) in [
            ("invalid peer certificate: certificate expired: verification time 1 (UNIX)", "endpoint-expired"),
            ("invalid peer certificate: certificate not valid yet: verification time 1", "endpoint-not-yet-valid"),
            ("invalid peer certificate: certificate not valid for name \"10.0.0.1\"", "endpoint-wrong-name"),
            ("invalid peer certificate: UnknownIssuer", "endpoint-wrong-ca"),
            ("dns error: failed to lookup address information: Name or service not known", "endpoint-dns"),
            ("received corrupt message of type InvalidContentType", "endpoint-not-tls"),
        ] {
            assert_eq!(first_fit(RULES, answer).map(|rule| rule.id), Some(id), "{answer}");
        }
        assert!(first_fit(RULES, "connection refused").is_none(), "an API server that is about to come refuses first");
    }
}
