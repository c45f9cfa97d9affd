//! What patches may and may not do, beyond what the golden files show.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::config::draft::Origin;
use crate::config::findings::Findings;
use crate::config::{InitFlags, Release, resolve_init};
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::support::{FixedEntropy, NOW};
use crate::world::{Facts, Overlay};

fn a_host(files: &[(&str, &str)]) -> Overlay<'static> {
    let mut host = Overlay::default();
    host.facts =
        Facts { host_name: "n1".to_owned(), default_addresses: vec![[10, 77, 0, 11].into()], ..Facts::default() };
    files.iter().fold(host, |host, (name, text)| host.with_file(&format!("/p/{name}"), text, 0o644))
}

fn patches(files: &[(&str, &str)]) -> (Patches, Vec<Problem>) {
    let findings = &mut Findings::default();
    let read = read(Path::new("/p"), &Origin::Flag("--patches"), &a_host(files), findings).expect("readable");
    let found = match std::mem::take(findings).finish(Some(()), "x", "x") {
        Ok(()) => Vec::new(),
        Err(problem) => problem.findings,
    };
    (read, found)
}

fn init(files: &[(&str, &str)], release: Release) -> Result<crate::config::Init, Problem> {
    let flags =
        InitFlags { patches: Some("/p".into()), kubernetes_version: Some(release.to_string()), ..InitFlags::default() };
    resolve_init(&flags, &a_host(files), NOW, &FixedEntropy::default())
}

#[test]
fn files_that_cannot_be_patches_are_findings_with_their_name() {
    for (name, text, expected) in [
        ("etcd+.yaml", "a: b", "none of json, merge and strategic"),
        ("etcd0.yaml", "a: [", "not YAML"),
        ("etcd0.yaml", "- op: add", "document 1 is no object"),
        ("etcd0+json.yaml", "[]\n---\na: b", "document 2 is no list"),
        ("etcd0.yaml", "a: b\na: c", "not YAML"),
    ] {
        let (_, found) = patches(&[(name, text)]);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].id, "config-bad-patch", "{name}");
        assert!(found[0].why.contains(expected), "{name}: {}", found[0].why);
        assert!(found[0].place.as_deref().is_some_and(|place| place.contains(name)), "{name}");
    }
    let (read, found) = patches(&[("etcd0.yaml", "# nothing\n---\n")]);
    assert_eq!((read.is_empty(), read.ignored().count(), found.len()), (true, 1, 0));
}

#[test]
fn a_folder_that_is_none_is_a_finding() {
    let flags = InitFlags { patches: Some("/q".into()), ..InitFlags::default() };
    let problem = resolve_init(&flags, &a_host(&[]), NOW, &FixedEntropy::default()).unwrap_err();
    assert_eq!(problem.findings[0].id, "config-bad-patch");
    assert_eq!(problem.findings[0].place.as_deref(), Some("--patches"));
    assert!(problem.findings[0].why.contains("there is no /q"));
}

#[test]
fn a_patch_that_does_not_fit_is_told_before_anything_is_changed() {
    for (name, text, why) in [
        ("kube-apiserver0.yaml", "spec: {containers: [{image: x}]}", "spec.containers: an item has no name"),
        (
            "kube-apiserver0.yaml",
            "spec: {containers: [{name: kube-apiserver, imag: x}]}",
            "no field spec.containers[0].imag",
        ),
        ("kube-apiserver0.yaml", "spec: {containers: [{name: other}]}", "container other has no image"),
        ("kube-apiserver0.yaml", "spec: {hostNetwork: 'yes, really'}", "the result is no Pod: "),
        ("kube-apiserver0.yaml", "kind: Deployment", "no Pod any more"),
        ("kube-scheduler0.yaml", "spec: {$patch: remove}", "spec: $patch may be replace or delete"),
        ("kube-scheduler0.yaml", "spec: {$patch: delete}", "no container is left"),
        (
            "kube-scheduler0.yaml",
            "spec: {volumes: [{name: kubeconfig, $patch: delete}]}",
            "mounts the volume kubeconfig",
        ),
        ("kube-scheduler0.yaml", "spec: {$retainKeys: [x], hostNetwork: true}", "spec.hostNetwork is set"),
        (
            "kube-scheduler0.yaml",
            "spec: {$setElementOrder/volumes: [{name: b}], volumes: [{name: a, emptyDir: {}}]}",
            "order of $setElementOrder",
        ),
        ("kube-scheduler0+merge.yaml", "spec: {containers: [{name: a}]}", "merge patch replaces lists"),
        ("etcd0+json.yaml", "[{op: remove, path: /spec/nothing}]", "/spec/nothing"),
        ("etcd0+json.yaml", "[{op: test, path: /kind, value: X}]", "value did not match"),
        ("etcd0+json.yaml", "[{op: delete, path: /spec}]", "delete"),
        ("kubeletconfiguration0.yaml", "authentication: 5", "authentication has a shape"),
        ("corednsdeployment0.yaml", "spec: {replicas: many}", "the result is no Deployment"),
    ] {
        let problem = init(&[(name, &format!("---\n{text}"))], V1_36).expect_err(text);
        assert_eq!(problem.id, "config-invalid", "{text}");
        let finding = &problem.findings[0];
        assert_eq!(finding.id, "config-bad-patch", "{text}: {finding:?}");
        assert_eq!(finding.place, Some(format!("/p/{name}, document 1")), "{text}");
        assert!(finding.why.contains(why), "{text}: {}", finding.why);
    }
}

#[test]
fn targets_of_later_releases_are_ignored_before_them() {
    let files = [("kubeletconfiguration0.yaml", "maxPods: 5"), ("corednsdeployment.yaml", "spec: {replicas: 1}")];
    let old = init(&files, V1_20).expect("a job").node.patches;
    assert!(old.is_empty());
    let lines: Vec<String> = old.ignored().collect();
    assert!(lines[0].contains("corednsdeployment can be patched from v1.31 on"), "{lines:?}");
    assert!(lines[1].contains("kubeletconfiguration can be patched from v1.25 on"), "{lines:?}");
    let new = init(&files, V1_36).expect("a job").node.patches;
    assert_eq!((new.count(Target::Kubelet), new.count(Target::CoreDns), new.ignored().count()), (1, 1, 0));
}

#[test]
fn the_kubelet_and_the_addons_are_patched_too() {
    let (patches, _) = patches(&[
        ("kubeletconfiguration0.yaml", "maxPods: 5\nclusterDNS: [10.0.0.1]\ncontainerRuntimeEndpoint: mine"),
        ("corednsdeployment0.yaml", "spec: {replicas: 1, strategy: {$retainKeys: [type], type: Recreate}}"),
        (
            "corednsdeployment1.yaml",
            "spec: {template: {spec: {containers: [{name: coredns, resources: {limits: {cpu: 1}}}]}}}",
        ),
        (
            "kubeproxydaemonset0.yaml",
            "spec: {template: {spec: {containers: [{name: kube-proxy, env: [{name: A, value: b}]}]}}}",
        ),
    ]);
    let mut job = default_init(V1_36);
    job.node.patches = patches;
    let files = crate::kubelet::config::files(&job.cluster, &job.node, false, None).expect("fitting");
    let config: Value = yaml::parse(&files.last().expect("config.yaml").text).expect("YAML");
    assert_eq!((&config["maxPods"], &config["clusterDNS"]), (&json!(5), &json!(["10.0.0.1"])));
    // As with kubeadm, the node's own socket comes last.
    assert_eq!(config["containerRuntimeEndpoint"], "unix:///run/containerd/containerd.sock");

    use crate::addon::{coredns, kube_proxy};
    let deployment = coredns::patched(coredns::deployment(&job.cluster), &job.node.patches).expect("fitting");
    let spec = deployment.spec.expect("a spec");
    assert_eq!(spec.replicas, Some(1));
    let strategy = spec.strategy.expect("a strategy");
    assert_eq!((strategy.type_.as_deref(), strategy.rolling_update), (Some("Recreate"), None));
    let container = &spec.template.spec.expect("a Pod").containers[0];
    assert_eq!(container.resources.as_ref().and_then(|found| found.limits.as_ref()).expect("limits")["cpu"].0, "1");
    let set = kube_proxy::patched(kube_proxy::daemon_set(&job.cluster), &job.node.patches).expect("fitting");
    let env = set.spec.expect("a spec").template.spec.expect("a Pod").containers[0].env.clone().expect("env");
    assert_eq!(env.iter().map(|variable| variable.name.as_str()).collect::<Vec<_>>(), ["A", "NODE_NAME"]);
}
