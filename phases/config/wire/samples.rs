//! Files for tests: with every field, and from real kubeadms. Each with its version.

/// Files that together have every field of their version, and hardly a value that is a default.
pub(crate) const FULL: [(&str, &str); 6] = [
    ("v1beta2", include_str!("../../../testdata/config/full/v1beta2.yaml")),
    ("v1beta2", include_str!("../../../testdata/config/full/v1beta2-other.yaml")),
    ("v1beta3", include_str!("../../../testdata/config/full/v1beta3.yaml")),
    ("v1beta3", include_str!("../../../testdata/config/full/v1beta3-other.yaml")),
    ("v1beta4", include_str!("../../../testdata/config/full/v1beta4.yaml")),
    ("v1beta4", include_str!("../../../testdata/config/full/v1beta4-other.yaml")),
];

/// What real kubeadms were given or have printed.
pub(crate) const KUBEADM: [(&str, &str); 8] = [
    ("v1beta2", include_str!("../../../testdata/kubeadm/v1.20.2/custom/input.yaml")),
    ("v1beta2", include_str!("../../../testdata/kubeadm/v1.20.2/print/init-defaults-with-components.yaml")),
    ("v1beta2", include_str!("../../../testdata/kubeadm/v1.20.2/print/join-defaults.yaml")),
    ("v1beta4", include_str!("../../../testdata/kubeadm/v1.36.2/custom/input.yaml")),
    ("v1beta4", include_str!("../../../testdata/kubeadm/v1.36.2/print/init-defaults-with-components.yaml")),
    ("v1beta4", include_str!("../../../testdata/kubeadm/v1.36.2/print/join-defaults.yaml")),
    ("v1beta4", include_str!("../../../testdata/kubeadm/v1.36.2/print/reset-defaults.yaml")),
    ("v1beta4", include_str!("../../../testdata/kubeadm/v1.36.2/print/upgrade-defaults.yaml")),
];
