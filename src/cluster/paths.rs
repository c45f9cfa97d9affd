//! URL paths of the objects kubestrap works with.

use kubestrap_phases::world::{ObjectRef, Verb};

/// Path of the kind's collection in the object's namespace.
pub(super) fn collection(object: &ObjectRef) -> String {
    let root = if object.api_version.contains('/') { "apis" } else { "api" };
    let namespace =
        if object.namespace.is_empty() { String::new() } else { format!("/namespaces/{}", object.namespace) };
    format!("/{root}/{}{namespace}/{}", object.api_version, plural(&object.kind))
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
}
