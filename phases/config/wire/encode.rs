//! From a configuration to the texts that stand in the ConfigMap `kubeadm-config`.
//!
//! Written is the version that the release's own kubeadm writes, with the fields that it writes even when they hold
//! nothing but the default.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::VERSIONS;
use super::table::{Kind, Shape, Version};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::duration::format_duration;
use crate::config::{ApiEndpoint, ClusterConfig, Component, Etcd, NodeName};
use crate::world::KeyAlgorithm;
use crate::yaml;

/// The text of the key `ClusterConfiguration`, in the version that the cluster's release writes, as kubeadm writes it.
pub fn encode_cluster_config(cluster: &ClusterConfig) -> String {
    let api = cluster.release.config_api();
    let version = VERSIONS.iter().find(|version| version.api == api).unwrap_or(&VERSIONS[2]);
    let kind = version.kind("ClusterConfiguration").expect("every version has the kind");
    yaml::write(&encode(version, kind, &say(cluster)))
}

/// The text of the key `ClusterStatus` (up to 1.21) with this one node.
pub fn encode_cluster_status(node: &NodeName, endpoint: &ApiEndpoint) -> String {
    yaml::write(&json!({
        "apiVersion": VERSIONS[0].api,
        "kind": "ClusterStatus",
        "apiEndpoints": {
            node.as_str(): { "advertiseAddress": endpoint.address.to_string(), "bindPort": endpoint.port },
        },
    }))
}

/// Documents as one text, separated as kubeadm separates them.
pub fn documents_text(documents: &[Value]) -> String {
    documents.iter().map(yaml::write).collect::<Vec<_>>().join("---\n")
}

/// A document with all that the draft says and the kind can hold, and the empty sections that kubeadm writes.
pub(crate) fn encode(version: &Version, kind: &Kind, draft: &Draft) -> Value {
    let mut document = encode_said(version, kind, draft);
    for section in kind.sections {
        put(&mut document, section, json!({}));
    }
    document
}

/// A document with all that the draft says and the kind can hold, and nothing else.
pub(super) fn encode_said(version: &Version, kind: &Kind, draft: &Draft) -> Value {
    let mut document = json!({"apiVersion": version.api, "kind": kind.name});
    for row in kind.rows() {
        if let Some(said) = draft.get(row.2) {
            let value = match row.1 {
                Shape::Section => json!({}),
                Shape::ArgMap => as_map(&said.value),
                _ => said.value.clone(),
            };
            put(&mut document, row.0, value);
        }
    }
    document
}

/// Sets what stands at a path; sections on the way are made, and one that is there is kept.
fn put(document: &mut Value, path: &str, value: Value) {
    let place = path.split('.').fold(document, |place, name| &mut place[name]);
    if !(place.is_object() && value == json!({})) {
        *place = value;
    }
}

/// A list of name and value as a map; of a repeated name, the last one counts.
fn as_map(args: &Value) -> Value {
    let text = |arg: &Value, field: &str| arg[field].as_str().unwrap_or_default().to_owned();
    let map: Map<String, Value> = args
        .as_array()
        .into_iter()
        .flatten()
        .map(|arg| (text(arg, "name"), Value::String(text(arg, "value"))))
        .collect();
    Value::Object(map)
}

/// Everything about a cluster, as it would be said in a file.
fn say(cluster: &ClusterConfig) -> Draft {
    let mut draft = Draft::default();
    let mut say = |key, value: Value| {
        let is_empty = match &value {
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            other => other.is_null(),
        };
        if !is_empty {
            draft.say(key, value, Origin::Default);
        }
    };
    say(Setting::KubernetesVersion, json!(cluster.release.to_string()));
    say(Setting::ClusterName, json!(cluster.name));
    say(Setting::ControlPlaneEndpoint, json!(cluster.control_plane_endpoint.as_ref().map(ToString::to_string)));
    say(Setting::CertificatesDir, path(&cluster.certificates_dir));
    say(Setting::ImageRepository, json!(cluster.image_repository));
    say(Setting::UseHyperKubeImage, json!(cluster.use_hyperkube.then_some(true)));
    say(Setting::FeatureGates, json!(cluster.feature_gates));
    say(Setting::ServiceSubnet, json!(cluster.networking.service_text()));
    say(Setting::PodSubnet, json!(cluster.networking.pod_text()));
    say(Setting::DnsDomain, json!(cluster.networking.dns_domain));
    say(Setting::ControlPlaneTimeout, json!(format_duration(cluster.control_plane_timeout)));
    say(Setting::EncryptionAlgorithm, json!(algorithm_name(cluster.key_algorithm)));
    say(Setting::CertificateValidity, json!(format_duration(cluster.certificate_validity)));
    say(Setting::CaValidity, json!(format_duration(cluster.ca_validity)));
    say(Setting::DnsType, json!(cluster.dns.server.name()));
    say(Setting::DnsImageRepository, json!(cluster.dns.image_repository));
    say(Setting::DnsImageTag, json!(cluster.dns.image_tag));
    say(Setting::DnsDisabled, json!(cluster.dns.disabled.then_some(true)));
    say(Setting::ProxyDisabled, json!(cluster.proxy_disabled.then_some(true)));
    say(Setting::ApiServerSans, json!(cluster.api_server_cert_sans));
    let mut api_server = cluster.api_server.clone();
    if cluster.release.stores_authorization_mode()
        && !api_server.extra_args.iter().any(|(name, _)| name == "authorization-mode")
    {
        api_server.extra_args.push(("authorization-mode".to_owned(), "Node,RBAC".to_owned()));
    }
    for (component, [args, volumes, envs]) in [
        (&api_server, [Setting::ApiServerArgs, Setting::ApiServerVolumes, Setting::ApiServerEnvs]),
        (
            &cluster.controller_manager,
            [Setting::ControllerManagerArgs, Setting::ControllerManagerVolumes, Setting::ControllerManagerEnvs],
        ),
        (&cluster.scheduler, [Setting::SchedulerArgs, Setting::SchedulerVolumes, Setting::SchedulerEnvs]),
    ] {
        say(args, args_value(component));
        say(volumes, volumes_value(component));
        say(envs, json!(component.extra_envs));
    }
    match &cluster.etcd {
        Etcd::Local(local) => {
            say(Setting::EtcdLocal, json!(true));
            say(Setting::EtcdImageRepository, json!(local.image_repository));
            say(Setting::EtcdImageTag, json!(local.image_tag));
            say(Setting::EtcdDataDir, path(&local.data_dir));
            say(Setting::EtcdArgs, args_value(&local.component));
            say(Setting::EtcdEnvs, json!(local.component.extra_envs));
            say(Setting::EtcdServerSans, json!(local.server_cert_sans));
            say(Setting::EtcdPeerSans, json!(local.peer_cert_sans));
        }
        Etcd::External(external) => {
            say(Setting::EtcdExternal, json!(true));
            say(Setting::EtcdEndpoints, json!(external.endpoints));
            if cluster.release.has_etcd_http_endpoints() {
                say(Setting::EtcdHttpEndpoints, json!(external.http_endpoints));
            }
            for (key, file) in [
                (Setting::EtcdCaFile, &external.ca_file),
                (Setting::EtcdCertFile, &external.cert_file),
                (Setting::EtcdKeyFile, &external.key_file),
            ] {
                // These three are written even when they are empty.
                draft.say(key, path(file), Origin::Default);
            }
        }
    }
    draft
}

fn path(path: &Path) -> Value {
    json!(path.to_string_lossy())
}

fn args_value(component: &Component) -> Value {
    component.extra_args.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn volumes_value(component: &Component) -> Value {
    let volumes = component.extra_volumes.iter().map(|volume| {
        let mut value = json!({"name": volume.name, "hostPath": volume.host_path, "mountPath": volume.mount_path});
        if volume.read_only {
            value["readOnly"] = json!(true);
        }
        if !volume.path_type.is_empty() {
            value["pathType"] = json!(volume.path_type);
        }
        value
    });
    volumes.collect()
}

/// Names of `encryptionAlgorithm`.
pub(crate) const ALGORITHMS: [(&str, KeyAlgorithm); 5] = [
    ("RSA-2048", KeyAlgorithm::Rsa2048),
    ("RSA-3072", KeyAlgorithm::Rsa3072),
    ("RSA-4096", KeyAlgorithm::Rsa4096),
    ("ECDSA-P256", KeyAlgorithm::EcdsaP256),
    ("ECDSA-P384", KeyAlgorithm::EcdsaP384),
];

fn algorithm_name(algorithm: KeyAlgorithm) -> &'static str {
    ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map_or("RSA-2048", |(name, _)| *name)
}
