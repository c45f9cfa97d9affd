//! Files: what the tool leaves on the control-plane node means the same as what a real kubeadm 1.20.2 left there with
//! the same input. Keys and certificates are compared in `certificates`, objects in the cluster in `golden_objects`.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::meaning::{self, Accepted, golden_text, without_keys};
use std::path::Path;

/// Where the golden files of the control-plane node m1 lie.
const M1: &str = "cluster/files/m1";

/// Every difference that is meant to be.
const ACCEPTED: &[Accepted] = &[Accepted {
    line: r#".hostPath.type: "" -> nothing"#,
    reason: "the API server reads both as: no check of what is there",
}];

/// What kubeadm gives folders; `ls -lR` of a real one is in the golden files. /var/lib/etcd is a mount of the node here.
const FOLDERS: [&str; 5] = [
    "755 /etc/kubernetes",
    "700 /etc/kubernetes/manifests",
    "755 /etc/kubernetes/pki",
    "755 /etc/kubernetes/pki/etcd",
    "755 /var/lib/kubelet/pki",
];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_manifest_means_what_kubeadm_writes() {
    scenario("every_manifest_means_what_kubeadm_writes", |run| {
        let manifests = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
        let paths = manifests.map(|name| format!("/etc/kubernetes/manifests/{name}.yaml"));
        same_meaning(shared_cluster(run)?, &paths)
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_kubeconfig_means_what_kubeadm_writes() {
    scenario("every_kubeconfig_means_what_kubeadm_writes", |run| {
        let names = ["admin", "controller-manager", "kubelet", "scheduler"];
        same_meaning(shared_cluster(run)?, &names.map(|name| format!("/etc/kubernetes/{name}.conf")))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_kubelets_configuration_and_flags_mean_what_kubeadm_writes() {
    scenario("the_kubelets_configuration_and_flags_mean_what_kubeadm_writes", |run| {
        let cluster = shared_cluster(run)?;
        same_meaning(cluster, &["/var/lib/kubelet/config.yaml".to_owned()])?;
        let path = "/var/lib/kubelet/kubeadm-flags.env";
        let expected = golden_text(&format!("{M1}{path}"), &[])?;
        let found = cluster.control_plane.read(path)?;
        expect(flags(&found) == flags(&expected), format!("{path} differs"), format!("{expected}{found}"))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_file_and_folder_has_the_mode_that_kubeadm_gives_it() {
    scenario("every_file_and_folder_has_the_mode_that_kubeadm_gives_it", |run| {
        let node = &shared_cluster(run)?.control_plane;
        let modes = golden_text("default/modes.txt", &[])?;
        let absolute = |line: &str| match line.split_once(" ./") {
            Some((mode, file @ ("config.yaml" | "kubeadm-flags.env"))) => format!("{mode} /var/lib/kubelet/{file}"),
            Some((mode, file)) => format!("{mode} /etc/kubernetes/{file}"),
            None => line.to_owned(),
        };
        let mut expected: Vec<String> = modes.lines().map(absolute).chain(FOLDERS.map(str::to_owned)).collect();
        let script = format!(
            "find /etc/kubernetes /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env -type f \
             -printf '%m %p\\n'; stat -c '%a %n' {}",
            FOLDERS.map(|line| line[4..].to_owned()).join(" ")
        );
        let mut found: Vec<String> = node.script(&script)?.stdout.lines().map(str::to_owned).collect();
        expected.sort();
        found.sort();
        let lines = |these: &[String], those: &[String], sign: &str| -> Vec<String> {
            these.iter().filter(|line| !those.contains(line)).map(|line| format!("{sign} {line}")).collect()
        };
        let differ = [lines(&expected, &found, "-"), lines(&found, &expected, "+")].concat();
        expect(differ.is_empty(), "modes are not kubeadm's", differ.join("\n"))
    });
}

fn same_meaning(cluster: &Cluster, paths: &[String]) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let address = cluster.control_plane.address.to_string();
    let names = [("m1", cluster.control_plane.name.as_str()), ("10.77.0.21", &address)];
    for path in paths {
        let expected = golden_text(&format!("{M1}{path}"), &names)?;
        let found = cluster.control_plane.read(path)?;
        let value = |text: &str| meaning::yaml(Path::new(path), text).map(without_keys);
        let differ = meaning::differences(&value(&expected)?, &value(&found)?);
        lines.extend(differ.into_iter().map(|line| format!("{path}{line}")));
    }
    let lines = meaning::unexpected(lines, ACCEPTED);
    expect(lines.is_empty(), "files do not mean what kubeadm writes", lines.join("\n"))
}

fn flags(text: &str) -> Vec<&str> {
    let mut flags: Vec<&str> = text.trim().split([' ', '"']).filter(|word| !word.is_empty()).collect();
    flags.sort_unstable();
    flags
}
