//! Compared with what real kubeadms print; every difference stands here.

use super::*;
use crate::yaml;

const BOTH: [ComponentConfig; 2] = [ComponentConfig::Kubelet, ComponentConfig::KubeProxy];

fn printed(of: DefaultsOf, minor: u32, components: &[ComponentConfig]) -> Vec<Value> {
    default_documents(of, &Release::new(minor, if minor == 20 { 0 } else { 2 }), components).expect("documents")
}

/// Host name of the machine that kubeadm ran on, the socket that only dockershim had, and a version without its `v`.
fn expected(text: &str) -> Vec<Value> {
    let text = text
        .replace("name: vm\n", "name: node\n")
        .replace("criSocket: /var/run/dockershim.sock", "criSocket: /run/containerd/containerd.sock")
        .replace("kubernetesVersion: 1.36.0", "kubernetesVersion: v1.36.2");
    yaml::documents(&text).expect("YAML")
}

#[test]
fn defaults_are_those_that_kubeadm_prints() {
    for (name, documents, golden) in [
        (
            "init 1.20",
            printed(DefaultsOf::Init, 20, &BOTH),
            include_str!("../../testdata/kubeadm/v1.20.2/print/init-defaults-with-components.yaml"),
        ),
        (
            "init alone 1.20",
            printed(DefaultsOf::Init, 20, &[]),
            include_str!("../../testdata/kubeadm/v1.20.2/print/init-defaults.yaml"),
        ),
        (
            "join 1.20",
            printed(DefaultsOf::Join, 20, &[]),
            include_str!("../../testdata/kubeadm/v1.20.2/print/join-defaults.yaml"),
        ),
        (
            "init 1.36",
            printed(DefaultsOf::Init, 36, &BOTH),
            include_str!("../../testdata/kubeadm/v1.36.2/print/init-defaults-with-components.yaml"),
        ),
        (
            "join 1.36",
            printed(DefaultsOf::Join, 36, &[]),
            include_str!("../../testdata/kubeadm/v1.36.2/print/join-defaults.yaml"),
        ),
        (
            "reset 1.36",
            printed(DefaultsOf::Reset, 36, &[]),
            include_str!("../../testdata/kubeadm/v1.36.2/print/reset-defaults.yaml"),
        ),
        (
            "upgrade 1.36",
            printed(DefaultsOf::Upgrade, 36, &[]),
            include_str!("../../testdata/kubeadm/v1.36.2/print/upgrade-defaults.yaml"),
        ),
    ] {
        assert_eq!(documents, expected(golden), "{name}");
    }
}

#[test]
fn defaults_of_every_release_are_valid_and_in_its_version() {
    for minor in crate::releases::OLDEST_MINOR..=crate::releases::NEWEST_MINOR {
        for of in [DefaultsOf::Init, DefaultsOf::Join, DefaultsOf::Reset, DefaultsOf::Upgrade] {
            let documents = printed(of, minor, &BOTH);
            let text = crate::config::documents_text(&documents);
            let allowed = crate::config::Allowed { deprecated: true, ..Default::default() };
            let validated = crate::config::validate(&text, "a.yaml", allowed);
            assert!(validated.is_ok(), "1.{minor} {of:?}: {validated:#?}");
            let api = match of {
                DefaultsOf::Init | DefaultsOf::Join => Release::new(minor, 0).config_api(),
                DefaultsOf::Reset | DefaultsOf::Upgrade => "kubeadm.k8s.io/v1beta4",
            };
            assert_eq!(documents[0]["apiVersion"], api, "1.{minor} {of:?}");
        }
    }
}

#[test]
fn a_release_that_is_not_served_has_no_defaults() {
    let problem = default_documents(DefaultsOf::Init, &Release::new(19, 0), &[]).expect_err("refused");
    assert_eq!(problem.findings[0].id, "config-bad-version");
}
