//! URL paths of the objects kubestrap works with.

use std::time::Duration;

use kubestrap_phases::world::{ObjectRef, Verb};

/// Path of the kind's collection in the object's namespace.
pub(super) fn collection(object: &ObjectRef) -> String {
    let root = if object.api_version.contains('/') { "apis" } else { "api" };
    let namespace =
        if object.namespace.is_empty() { String::new() } else { format!("/namespaces/{}", object.namespace) };
    format!("/{root}/{}{namespace}/{}", object.api_version, plural(&object.kind))
}

/// The next part of a list, of at most this many objects, from where the part before it ended.
pub(super) fn page(of: &ObjectRef, query: &str, size: usize, from: &str) -> String {
    let and = if query.is_empty() { "" } else { "&" };
    let from = if from.is_empty() { String::new() } else { format!("&continue={from}") };
    format!("{}?{query}{and}limit={size}{from}", collection(of))
}

/// Events of one object, the first of which tells how it is; the server ends them after a while.
pub(super) fn watch(object: &ObjectRef, within: Duration) -> String {
    let seconds = within.as_secs().max(1);
    format!("{}?watch=1&fieldSelector=metadata.name%3D{}&timeoutSeconds={seconds}", collection(object), object.name)
}

/// Path of the object, or of the sub-resource that a verb needs.
pub(super) fn object(object: &ObjectRef, verb: Option<Verb>) -> String {
    let end = if verb == Some(Verb::Evict) { "/eviction" } else { "" };
    format!("{}/{}{end}", collection(object), object.name)
}

/// Kubernetes forms plurals as English does; these are the endings that occur.
fn plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    match lower.as_str() {
        "endpoints" => lower,
        _ if lower.ends_with('y') => format!("{}ies", &lower[..lower.len() - 1]),
        _ if lower.ends_with('s') => format!("{lower}es"),
        _ => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_group_namespace_and_plural() {
        for (reference, path) in [
            (ObjectRef::new("v1", "ConfigMap", "kube-system", "a"), "/api/v1/namespaces/kube-system/configmaps/a"),
            (ObjectRef::new("v1", "Node", "", "n"), "/api/v1/nodes/n"),
            (
                ObjectRef::new("rbac.authorization.k8s.io/v1", "ClusterRole", "", "x"),
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/x",
            ),
            (
                ObjectRef::new("policy/v1beta1", "PodDisruptionBudget", "a", "b"),
                "/apis/policy/v1beta1/namespaces/a/poddisruptionbudgets/b",
            ),
        ] {
            assert_eq!(object(&reference, None), path);
        }
        let pod = ObjectRef::new("v1", "Pod", "a", "p");
        assert_eq!(object(&pod, Some(Verb::Evict)), "/api/v1/namespaces/a/pods/p/eviction");
        assert_eq!(collection(&ObjectRef::new("v1", "Pod", "", "")), "/api/v1/pods");
    }

    #[test]
    fn parts_of_a_list_and_events_of_one_object_are_asked_for() {
        let secrets = ObjectRef::new("v1", "Secret", "kube-system", "");
        let path = "/api/v1/namespaces/kube-system/secrets?";
        assert_eq!(page(&secrets, "", 500, ""), format!("{path}limit=500"));
        assert_eq!(page(&secrets, "fieldSelector=a", 2, "xyz"), format!("{path}fieldSelector=a&limit=2&continue=xyz"));
        let node = ObjectRef::new("v1", "Node", "", "n1");
        let path = "/api/v1/nodes?watch=1&fieldSelector=metadata.name%3Dn1&timeoutSeconds=1";
        assert_eq!(watch(&node, Duration::from_millis(200)), path);
    }
}
