//! Merge keys: by which field the items of a list are told apart when a strategic merge patch meets them.
//!
//! From the struct tags `patchStrategy` and `patchMergeKey` of Kubernetes' own types (`staging/src/k8s.io/api/core/v1/types.go`,
//! `apps/v1/types.go` and apimachinery's `meta/v1/types.go` of 1.20.2; `resourceClaims` and `schedulingGates` of 1.36). A list that
//! is not named here is replaced as a whole, such as `command`, `args`, `tolerations` and `envFrom`.

/// A list that is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Of objects, told apart by this field.
    By(&'static str),
    /// Of texts, none of which comes twice.
    Set,
}

/// Field below which a list stands, its own name, and how it is merged. `*Containers` are the three kinds of them.
const LISTS: [(&str, &str, List); 15] = [
    ("metadata", "ownerReferences", List::By("uid")),
    ("metadata", "finalizers", List::Set),
    ("spec", "volumes", List::By("name")),
    ("spec", "initContainers", List::By("name")),
    ("spec", "containers", List::By("name")),
    ("spec", "ephemeralContainers", List::By("name")),
    ("spec", "imagePullSecrets", List::By("name")),
    ("spec", "hostAliases", List::By("ip")),
    ("spec", "topologySpreadConstraints", List::By("topologyKey")),
    ("spec", "resourceClaims", List::By("name")),
    ("spec", "schedulingGates", List::By("name")),
    ("*Containers", "ports", List::By("containerPort")),
    ("*Containers", "env", List::By("name")),
    ("*Containers", "volumeMounts", List::By("mountPath")),
    ("*Containers", "volumeDevices", List::By("devicePath")),
];

/// How the list `name` below the field `parent` is merged; `None` where it is replaced.
pub(super) fn list(parent: &str, name: &str) -> Option<List> {
    let is_parent = |pattern: &str| match pattern {
        "*Containers" => matches!(parent, "containers" | "initContainers" | "ephemeralContainers"),
        pattern => pattern == parent,
    };
    LISTS.iter().find(|(pattern, known, _)| *known == name && is_parent(pattern)).map(|(_, _, list)| *list)
}
