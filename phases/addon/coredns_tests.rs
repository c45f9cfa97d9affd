//! What is kept of a live CoreDNS, and what differs between releases.

use serde_json::{Value, json};

use super::*;
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};
use crate::world::Overlay;

fn admin() -> Identity {
    Identity::Kubeconfig("/etc/kubernetes/admin.conf".into())
}

fn live(corefile: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "kube-system", "name": "coredns"},
           "data": {"Corefile": corefile}})
}

fn corefile(map: &ConfigMap) -> &str {
    &map.data.as_ref().unwrap()[COREFILE]
}

#[test]
fn the_live_number_of_replicas_is_kept() {
    let cluster = default_init(V1_20).cluster;
    let mut found = deployment(&cluster);
    found.spec.as_mut().unwrap().replicas = Some(5);
    found.spec.as_mut().unwrap().paused = Some(true);
    for container in &mut found.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers {
        container.image = Some("k8s.gcr.io/coredns:1.6.7".to_owned());
    }
    let bench = Bench::over(Overlay::default().with_object(serde_json::to_value(&found).unwrap()));
    bench.within(|world| install(&cluster, &Patches::default(), world, &admin())).unwrap();
    let now: Option<Deployment> =
        bench.within(|world| objects::get(world, &admin(), "kube-system", "coredns")).unwrap();
    let spec = now.unwrap().spec.unwrap();
    assert_eq!(spec.replicas, Some(5));
    assert_eq!(spec.template.spec.unwrap().containers[0].image.as_deref(), Some("k8s.gcr.io/coredns:1.7.0"));
}

#[test]
fn a_corefile_is_replaced_only_where_nobody_has_changed_it() {
    let new = config_map(&default_init(V1_36).cluster);
    let old = config_map(&default_init(V1_20).cluster);
    assert_ne!(corefile(&new), corefile(&old));
    for (name, found, expected, notes) in [
        ("of an older release", corefile(&old), corefile(&new), 0),
        ("its own", corefile(&new), corefile(&new), 0),
        ("changed", ".:53 {\n    whoami\n}\n", ".:53 {\n    whoami\n}\n", 1),
    ] {
        let bench = Bench::over(Overlay::default().with_object(live(found)));
        bench.within(|world| install(&default_init(V1_36).cluster, &Patches::default(), world, &admin())).unwrap();
        let now: Option<ConfigMap> =
            bench.within(|world| objects::get(world, &admin(), "kube-system", "coredns")).unwrap();
        assert_eq!(corefile(&now.unwrap()), expected, "{name}");
        assert_eq!(bench.recorder.lines().len(), notes, "{name}");
    }
}

#[test]
fn domain_address_and_image_are_those_of_the_cluster() {
    let cluster = custom_init(V1_36).cluster;
    let map = config_map(&cluster);
    assert!(corefile(&map).contains("kubernetes corp.local in-addr.arpa"), "{map:?}");
    assert!(corefile(&map).contains("disable denial corp.local"), "{map:?}");
    assert!(!corefile(&map).contains(DOMAIN), "{map:?}");
    assert_eq!(service(&cluster).spec.unwrap().cluster_ip.as_deref(), Some("10.112.0.10"));
    let pod = deployment(&cluster).spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.containers[0].image.as_deref(), Some("registry.example.com/k8s/coredns:v1.14.2"));
}

#[test]
fn releases_in_between_have_what_was_added_by_then() {
    for (minor, slices, nodes, spreads, master, named_ports) in [
        (21, false, true, false, true, false),
        (22, true, true, false, true, false),
        (25, true, true, true, true, false),
        (26, true, true, true, false, false),
        (28, true, false, true, false, false),
        (34, true, false, true, false, true),
    ] {
        let cluster = default_init(Release::new(minor, 0)).cluster;
        let rules = cluster_role(&cluster.release).rules.unwrap();
        let reads =
            |name: &str| rules.iter().flat_map(|rule| rule.resources.iter().flatten()).any(|resource| resource == name);
        assert_eq!(reads("endpointslices"), slices, "1.{minor}");
        assert_eq!(reads("nodes"), nodes, "1.{minor}");
        let pod = deployment(&cluster).spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.affinity.is_some(), spreads, "1.{minor}");
        assert_eq!(pod.tolerations.unwrap().len(), if master { 3 } else { 2 }, "1.{minor}");
        assert_eq!(pod.containers[0].ports.as_ref().unwrap().len(), if named_ports { 5 } else { 3 }, "1.{minor}");
    }
}
