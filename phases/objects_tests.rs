//! When an object is sent and when not; templates; which failures are tried again.

use std::cell::Cell;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use super::*;
use crate::plan::Journal;
use crate::support::Bench;
use crate::world::Overlay;

const TEMPLATES: [&str; 9] = [
    include_str!("../templates/addon/coredns.yaml"),
    include_str!("../templates/addon/kube-dns.yaml"),
    include_str!("../templates/addon/kube-proxy.yaml"),
    include_str!("../templates/rbac/apiserver-kubelet-client.yaml"),
    include_str!("../templates/rbac/bootstrap-token.yaml"),
    include_str!("../templates/rbac/cluster-admins.yaml"),
    include_str!("../templates/rbac/cluster-info.yaml"),
    include_str!("../templates/rbac/kubeadm-config.yaml"),
    include_str!("../templates/rbac/kubelet-config.yaml"),
];

#[test]
fn every_template_reads_back_the_same_as_its_type() {
    fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
    }
    for object in TEMPLATES.into_iter().flat_map(documents) {
        let typed = match object["kind"].as_str().unwrap() {
            "ClusterRole" => through::<ClusterRole>(&object),
            "ClusterRoleBinding" => through::<ClusterRoleBinding>(&object),
            "ConfigMap" => through::<ConfigMap>(&object),
            "DaemonSet" => through::<DaemonSet>(&object),
            "Deployment" => through::<Deployment>(&object),
            "Role" => through::<Role>(&object),
            "RoleBinding" => through::<RoleBinding>(&object),
            "Service" => through::<Service>(&object),
            "ServiceAccount" => through::<ServiceAccount>(&object),
            other => panic!("{other} is not known here"),
        };
        // A misspelt field would be lost on the way through the type.
        assert!(covers(&typed, &object), "{object} became {typed}");
    }
}

#[test]
fn an_object_covers_what_we_set() {
    for (name, found, wanted, expected) in [
        ("the same", json!({"a": 1}), json!({"a": 1}), true),
        ("more is there", json!({"a": 1, "b": 2}), json!({"a": 1}), true),
        ("less is there", json!({"a": 1}), json!({"a": 1, "b": 2}), false),
        ("another value", json!({"a": {"b": 1}}), json!({"a": {"b": 2}}), false),
        ("empty is left out", json!({}), json!({"a": {}, "b": null, "c": []}), true),
        ("an empty text is a value", json!({}), json!({"a": ""}), false),
        ("more in an element", json!({"a": [{"b": 1, "c": 2}]}), json!({"a": [{"b": 1}]}), true),
        ("more elements", json!({"a": [1, 2]}), json!({"a": [1]}), false),
        ("another order", json!({"a": [1, 2]}), json!({"a": [2, 1]}), false),
    ] {
        assert_eq!(covers(&found, &wanted), expected, "{name}");
    }
}

#[test]
fn an_object_is_sent_when_it_differs_and_only_then() {
    let admin = Identity::Kubeconfig("/etc/kubernetes/admin.conf".into());
    let map = |value: &str| config_map("kube-system", "m", BTreeMap::from([("key".to_owned(), value.to_owned())]));
    Bench::default().within(|world| {
        assert!(put(world, &admin, &map("one")).unwrap(), "made");
        assert!(!put(world, &admin, &map("one")).unwrap(), "there already");
        assert!(put(world, &admin, &map("two")).unwrap(), "another value");
        let found: Option<ConfigMap> = get(world, &admin, "kube-system", "m").unwrap();
        assert_eq!(found.unwrap().data, map("two").data);
    });
}

#[test]
fn a_service_is_replaced_whatever_its_version() {
    let service = |port: i64| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "kube-system", "name": "kube-dns"},
               "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": port}]}})
    };
    let admin = Identity::Kubeconfig("/etc/kubernetes/admin.conf".into());
    let bench = Bench::default();
    bench.within(|world| put(world, &admin, &service(53))).unwrap();
    assert!(bench.overlay.objects()[0]["metadata"].get("resourceVersion").is_none(), "none when it is made");
    bench.within(|world| put(world, &admin, &service(54))).unwrap();
    assert_eq!(bench.overlay.objects()[0]["metadata"]["resourceVersion"], "0");
}

#[test]
fn a_node_is_waited_for_until_it_has_its_host_name() {
    let admin = Identity::Kubeconfig("/etc/kubernetes/admin.conf".into());
    let name = NodeName::parse("n1").unwrap();
    let node =
        |labels: Value| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": labels}});

    let bench = Bench::over(Overlay::default().with_object(node(json!({"kubernetes.io/hostname": "n1"}))));
    assert!(bench.within(|world| registered_node(world, &admin, &name)).is_ok());

    for (case, overlay, last) in [
        ("no Node", Overlay::default(), "there is no Node n1"),
        ("no label", Overlay::default().with_object(node(json!({}))), "Node n1 has no label kubernetes.io/hostname"),
    ] {
        let problem = Bench::over(overlay).within(|world| registered_node(world, &admin, &name)).unwrap_err();
        assert_eq!(problem.id, "node-not-registered", "{case}");
        assert_eq!(problem.saw.as_deref(), Some(last), "{case}");
        assert!(problem.fixes[0].contains("journalctl -u kubelet"), "{case}");
    }
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    for (id, tries_needed, expected_tries, ends_well) in [
        ("api-unreachable", 3, 3, true),
        ("api-refused", 2, 2, true),
        ("api-forbidden", 2, 1, false),
        ("api-invalid", 2, 1, false),
        ("api-unreachable", 1000, 62, false),
    ] {
        let tries = Cell::new(0);
        let outcome = Bench::default().within(|world| {
            insist(world, "an answer", || {
                tries.set(tries.get() + 1);
                if tries.get() < tries_needed { Err(Problem::new(id, "it failed")) } else { Ok(()) }
            })
        });
        assert_eq!(outcome.is_ok(), ends_well, "{id}");
        assert_eq!(tries.get(), expected_tries, "{id}");
        if let Err(problem) = outcome {
            assert_eq!(problem.id, id, "the last problem is told");
        }
    }
}

#[test]
fn the_limit_for_calls_is_the_worlds() {
    let bench = Bench::default();
    let journal = Journal::new(&bench.store);
    let world = World::new(
        &bench.overlay,
        (&bench.overlay, &bench.overlay),
        &bench.time,
        (&bench.entropy, &bench.recorder),
        &journal,
    )
    .with_api_call_limit(Duration::from_secs(5));
    let tries = Cell::new(0);
    let outcome: Result<(), Problem> = insist(&world, "an answer", || {
        tries.set(tries.get() + 1);
        Err(Problem::new("api-unreachable", "it failed"))
    });
    assert!(outcome.is_err());
    assert_eq!(tries.get(), 7);
}
