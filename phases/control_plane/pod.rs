//! Static Pods: what the four of them share, from template and job to the text of the manifest.
//!
//! Pure: a skeleton from `templates/static-pods`, flags, volumes, probes and environment become a Pod. `put` is the one
//! function that writes: the manifest (0600) into the manifest folder (0700), which the kubelet watches.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, HTTPGetAction, HostPathVolumeSource, Pod, PodSecurityContext,
    Probe, SeccompProfile, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use crate::config::{Component, HostPathMount, NodeConfig, Release};
use crate::problem::Problem;
use crate::releases::ProbePaths;
use crate::world::{Content, World};
use crate::yaml;

const PROBE_PORT: &str = "probe-port";
/// What the class `system-node-critical` stands for.
const NODE_CRITICAL: i32 = 2_000_001_000;

/// A static Pod on its way from template to manifest.
pub(crate) struct StaticPod<'a> {
    pod: Pod,
    release: &'a Release,
    flags: Vec<(String, String)>,
}

/// Where and how a component is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeTarget {
    /// Empty for the Pod's own address, which is the node's.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// `HTTPS` or `HTTP`.
    pub(crate) scheme: &'static str,
    /// Paths by probe.
    pub(crate) paths: ProbePaths,
    /// How long the component may take to start.
    pub(crate) startup_within: Duration,
}

impl<'a> StaticPod<'a> {
    /// Starts from a template.
    pub(crate) fn from_template(template: &str, release: &'a Release) -> Self {
        let pod: Pod = yaml::parse(template).expect("template was parsed by a test");
        Self::from_pod(pod, release)
    }

    fn from_pod(mut pod: Pod, release: &'a Release) -> Self {
        let spec = pod.spec.get_or_insert_default();
        if release.static_pods_have_seccomp() {
            let profile = SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None };
            spec.security_context =
                Some(PodSecurityContext { seccomp_profile: Some(profile), ..PodSecurityContext::default() });
        }
        if release.static_pods_have_priority() {
            spec.priority = Some(NODE_CRITICAL);
        }
        if spec.containers.is_empty() {
            spec.containers.push(Container::default());
        }
        Self { pod, release, flags: Vec::new() }
    }

    fn container(&mut self) -> &mut Container {
        let spec = self.pod.spec.as_mut().expect("from_pod sets it");
        spec.containers.first_mut().expect("from_pod sets it")
    }

    /// Sets the image.
    pub(crate) fn image(&mut self, reference: String) {
        self.container().image = Some(reference);
    }

    /// Adds an annotation.
    pub(crate) fn annotation(&mut self, name: &str, value: String) {
        self.pod.metadata.annotations.get_or_insert_default().insert(name.to_owned(), value);
    }

    /// Adds a resource request.
    pub(crate) fn request(&mut self, resource: &str, quantity: &str) {
        let requests = self.container().resources.get_or_insert_default().requests.get_or_insert_default();
        let quantity = k8s_openapi::apimachinery::pkg::api::resource::Quantity(quantity.to_owned());
        requests.insert(resource.to_owned(), quantity);
    }

    /// Sets a flag.
    pub(crate) fn flag(&mut self, name: &str, value: impl Into<String>) {
        self.flags.push((name.to_owned(), value.into()));
    }

    /// Sets a flag to a path.
    pub(crate) fn path_flag(&mut self, name: &str, path: &Path) {
        self.flag(name, path.display().to_string());
    }

    /// Mounts a host path; one of the same name is replaced.
    pub(crate) fn mount(&mut self, mount: &HostPathMount) {
        let volume = Volume {
            name: mount.name.clone(),
            host_path: Some(HostPathVolumeSource {
                path: mount.host_path.clone(),
                type_: Some(mount.path_type.clone()).filter(|kind| !kind.is_empty()),
            }),
            ..Volume::default()
        };
        let volume_mount = VolumeMount {
            name: mount.name.clone(),
            mount_path: mount.mount_path.clone(),
            read_only: mount.read_only.then_some(true),
            ..VolumeMount::default()
        };
        let mounts = self.container().volume_mounts.get_or_insert_default();
        mounts.retain(|known| known.name != mount.name);
        mounts.push(volume_mount);
        let volumes = self.pod.spec.get_or_insert_default().volumes.get_or_insert_default();
        volumes.retain(|known| known.name != mount.name);
        volumes.push(volume);
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Sorts the mounts by name, as all but etcd have them.
    pub(crate) fn sort_mounts(&mut self) {
        self.container().volume_mounts.get_or_insert_default().sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Mounts the host's folders with CA certificates besides /etc/ssl/certs.
    pub(crate) fn mount_ca_folders(&mut self, node: &NodeConfig) {
        for folder in &node.ca_folders {
            let path = folder.display().to_string();
            self.mount(&read_only(path.trim_matches('/').replace('/', "-"), path.clone(), "DirectoryOrCreate"));
        }
    }

    /// Has it run as the component's user, where there are any, with as few rights as it can do with.
    pub(crate) fn run_as(&mut self, node: &NodeConfig, component: &str) {
        let Some(accounts) = &node.accounts else { return };
        let user = accounts.of(component);
        // The API server's file has this capability: without it the kernel would not start it, and it is gained by starting.
        let gains = component == "kube-apiserver";
        self.container().security_context = Some(SecurityContext {
            allow_privilege_escalation: (!gains).then_some(false),
            capabilities: Some(Capabilities {
                add: gains.then(|| vec!["NET_BIND_SERVICE".to_owned()]),
                drop: Some(vec!["ALL".to_owned()]),
            }),
            ..SecurityContext::default()
        });
        let context = self.pod.spec.get_or_insert_default().security_context.get_or_insert_default();
        context.run_as_user = Some(user.uid.into());
        context.run_as_group = Some(user.gid.into());
        context.supplemental_groups = accounts.reads_signing_key(component).map(|gid| vec![gid.into()]);
    }

    /// Sets the environment: the host's proxy settings and what the user gives, which counts more.
    pub(crate) fn environment(&mut self, proxies: &[(String, String)], user: &Component) -> Result<(), Problem> {
        let mut environment: Vec<EnvVar> = proxies
            .iter()
            .map(|(name, value)| EnvVar { name: name.clone(), value: Some(value.clone()), ..EnvVar::default() })
            .collect();
        for variable in &user.extra_envs {
            let variable: EnvVar = serde_json::from_value(variable.clone()).map_err(|error| {
                Problem::new("environment-invalid", "extraEnvs holds something that is no environment variable")
                    .saw(variable.to_string())
                    .why(error.to_string())
                    .fix("write each as {name: …, value: …}")
            })?;
            environment.retain(|known| known.name != variable.name);
            environment.push(variable);
        }
        if self.release.sorts_environment() {
            environment.sort_by(|a, b| a.name.cmp(&b.name));
        }
        self.container().env = Some(environment).filter(|environment| !environment.is_empty());
        Ok(())
    }

    /// Sets the probes.
    pub(crate) fn probes(&mut self, target: &ProbeTarget) {
        let named = self.release.probes_use_named_port();
        let port =
            if named { IntOrString::String(PROBE_PORT.to_owned()) } else { IntOrString::Int(target.port.into()) };
        let get = |path: &str| HTTPGetAction {
            host: Some(target.host.clone()).filter(|host| !host.is_empty()),
            path: Some(path.to_owned()),
            port: port.clone(),
            scheme: Some(target.scheme.to_owned()),
            ..HTTPGetAction::default()
        };
        let probe = |path: &str, failure_threshold: i32| Probe {
            http_get: Some(get(path)),
            initial_delay_seconds: Some(10),
            timeout_seconds: Some(15),
            period_seconds: Some(10),
            failure_threshold: Some(failure_threshold),
            ..Probe::default()
        };
        let attempts = target.startup_within.as_secs().div_ceil(10);
        let container = self.container();
        container.liveness_probe = Some(probe(target.paths.liveness, 8));
        container.startup_probe = Some(probe(target.paths.startup, i32::try_from(attempts).unwrap_or(i32::MAX)));
        container.readiness_probe = target.paths.readiness.map(|path| Probe {
            initial_delay_seconds: None,
            period_seconds: Some(1),
            ..probe(path, 3)
        });
        container.ports = named.then(|| {
            vec![ContainerPort {
                name: Some(PROBE_PORT.to_owned()),
                container_port: target.port.into(),
                protocol: Some("TCP".to_owned()),
                ..ContainerPort::default()
            }]
        });
    }

    /// The text of the manifest, with the user's flags among or behind the others.
    pub(crate) fn finish(mut self, user: &Component) -> String {
        yaml::write(&self.value(user))
    }

    fn value(&mut self, user: &Component) -> Value {
        let (release, mut flags) = (self.release, std::mem::take(&mut self.flags));
        let command = self.container().command.get_or_insert_default();
        flags.extend(command.iter().filter_map(|word| word.strip_prefix("--")?.split_once('=')).map(owned));
        command.truncate(1);
        let merged = merge_flags(flags, &user.extra_args, release);
        command.extend(merged.into_iter().map(|(name, value)| format!("--{name}={value}")));
        let mut value = serde_json::to_value(&self.pod).expect("a Pod is JSON");
        value["status"] = json!({});
        value
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A name that the user gives drops all defaults of that name. Up to 1.35 all flags are sorted; from 1.36 on the user's
/// come last and keep their order.
pub(crate) fn merge_flags(
    defaults: Vec<(String, String)>,
    user: &[(String, String)],
    release: &Release,
) -> Vec<(String, String)> {
    let mut flags: Vec<(String, String)> =
        defaults.into_iter().filter(|(name, _)| !user.iter().any(|(given, _)| given == name)).collect();
    if release.user_flags_come_last() {
        flags.sort();
        flags.extend_from_slice(user);
    } else {
        flags.extend_from_slice(user);
        flags.sort();
    }
    flags
}

/// The value of a flag that the user gives; the last one counts.
pub(crate) fn user_flag<'c>(component: &'c Component, name: &str) -> Option<&'c str> {
    component.extra_args.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

/// A read-only mount at the same path as on the host.
pub(crate) fn read_only(name: impl Into<String>, path: impl Into<String>, path_type: &str) -> HostPathMount {
    let path = path.into();
    HostPathMount {
        name: name.into(),
        mount_path: path.clone(),
        host_path: path,
        read_only: true,
        path_type: path_type.to_owned(),
    }
}

/// A bind address as the host of a probe: empty where all addresses are meant.
pub(crate) fn probe_host(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(parsed) if parsed.is_unspecified() => String::new(),
        _ => address.to_owned(),
    }
}

/// Value of the gate IPv6DualStack for the components, where the user has set it.
pub(crate) fn dual_stack_gate(gates: &BTreeMap<String, bool>, release: &Release) -> Option<String> {
    let value = gates.get("IPv6DualStack").filter(|_| release.has_dual_stack_gate())?;
    Some(format!("IPv6DualStack={value}"))
}

/// Writes a manifest with the node's patches. The folder belongs to root alone, since the manifests tell where every key lies.
pub(crate) fn put(world: &World<'_>, node: &NodeConfig, component: &str, manifest: String) -> Result<(), Problem> {
    let manifest = node.patches.manifest(component, manifest)?;
    world.put_folder(&node.layout.manifests(), 0o700)?;
    world.put_file(&node.layout.manifest(component), Content::new(manifest), 0o600)?;
    Ok(())
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
