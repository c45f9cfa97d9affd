//! What validation finds without a machine: the same as the commands, all kinds at once, and what may not be meant so.

use super::*;
use crate::config::resolve::tests::invalid_files;

fn ids(text: &str) -> Vec<String> {
    match validate(text, "a.yaml", Allowed::default()) {
        Ok(_) => Vec::new(),
        Err(problem) => problem.findings.iter().map(|finding| finding.id.clone()).collect(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    let validated = validate(text, "a.yaml", Allowed::default()).expect(text);
    validated.warnings.iter().map(|warning| warning.what.clone()).collect()
}

#[test]
fn every_invalid_file_is_found_out_without_a_machine() {
    for (name, text) in invalid_files() {
        // These are wrong for the command that they are given to, and right for another one.
        if name.ends_with("needed-kind") || name == "bad-version-label-of-another-minor" {
            assert!(ids(&text).is_empty(), "{name}: {:?}", ids(&text));
            continue;
        }
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# gives: ")).expect(&name);
        let mut found = ids(&text);
        found.sort();
        found.dedup();
        assert_eq!(found.join(" "), expected, "{name}");
    }
}

#[test]
fn mistakes_of_all_kinds_come_together_and_once() {
    let text = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.2
networking: {podSubnet: 10.244.0.0/33}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
nodeRegistration: {name: a_b}
discovery:
  bootstrapToken: {token: abcdef.0123456789abcdef, apiServerEndpoint: \"a:1\", unsafeSkipCAVerification: true}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ResetConfiguration
certificatesDir: pki
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: UpgradeConfiguration
node: {patches: {directory: patches}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
clusterDNS: 10.96.0.10
";
    assert_eq!(
        ids(text),
        ["config-bad-cidr", "config-wrong-type", "config-bad-node-name", "config-bad-path", "config-bad-path"]
    );
}

#[test]
fn the_answer_does_not_depend_on_what_is_installed_here() {
    let file = |version: &str, gate: &str| {
        format!("apiVersion: kubeadm.k8s.io/{version}\nkind: ClusterConfiguration\nfeatureGates: {{{gate}: true}}\n")
    };
    assert!(ids(&file("v1beta4", "NodeLocalCRISocket")).is_empty());
    assert!(ids(&file("v1beta2", "IPv6DualStack")).is_empty());
    assert_eq!(ids(&file("v1beta4", "IPv6DualStack")), ["config-unknown-gate"]);
    let labelled = file("v1beta4", "EtcdLearnerMode") + "kubernetesVersion: stable-1.31\n";
    assert!(ids(&labelled).is_empty(), "{:?}", ids(&labelled));
}

#[test]
fn versions_older_than_the_release_writes_are_warned_of() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.2\n";
    assert_eq!(warnings(text), ["kubeadm.k8s.io/v1beta3 is deprecated"]);
    assert!(warnings(&text.replace("v1.36.2", "v1.30.0")).is_empty());
    let allowed = Allowed { deprecated: true, ..Allowed::default() };
    assert!(validate(text, "a.yaml", allowed).expect("valid").warnings.is_empty());
}

#[test]
fn what_may_not_be_meant_so_is_warned_of() {
    let file = |rest: &str| {
        format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.2\n{rest}\n")
    };
    for (rest, expected) in [
        ("certificateValidityPeriod: 9000h", "a validity is unusually long"),
        ("caCertificateValidityPeriod: 90000h", "a validity is unusually long"),
        ("caCertificateValidityPeriod: 100h", "certificates outlive their CA"),
        ("networking: {podSubnet: \"fec0:1::/56\"}", "a network is of site-local addresses"),
        ("controlPlaneEndpoint: a:7443", "the control-plane endpoint has another port than the API servers"),
    ] {
        assert_eq!(warnings(&file(rest)), [expected], "{rest}");
    }
    assert!(warnings(&file("controlPlaneEndpoint: a")).is_empty());
}

#[test]
fn the_placeholder_is_checked_where_that_is_asked_for() {
    let text = "apiVersion: kubeadm.k8s.io/v1\nkind: ClusterConfiguration\nnetworking: {podSubnet: x}\n";
    assert_eq!(ids(text), ["config-experimental-version"]);
    let allowed = Allowed { experimental: true, ..Allowed::default() };
    let problem = validate(text, "a.yaml", allowed).expect_err("a mistake");
    assert_eq!(problem.findings[0].id, "config-bad-cidr");
    let right = text.replace("podSubnet: x", "podSubnet: 10.244.0.0/16");
    assert!(validate(&right, "a.yaml", allowed).expect("valid").warnings.is_empty());
}
