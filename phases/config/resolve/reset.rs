//! The job of `reset`: found out from the node alone, since the cluster may be gone.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cluster::absolute;
use super::remove::drain_timeout;
use super::{INVALID, defaults, node, read_file};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::config::{Layout, Reset, ResetFlags};
use crate::problem::Problem;
use crate::releases::DEFAULT;
use crate::world::{Host, UnmountFlag};
use crate::yaml;

/// The job of `reset`. Works when the cluster is gone.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_reset(flags: &ResetFlags, host: &dyn Host) -> Result<Reset, Problem> {
    let findings = &mut Findings::default();
    let mut draft = read_file(flags.config.as_deref(), &["ResetConfiguration"], host, findings)?.draft;
    draft.say_flag(Setting::CertificatesDir, "--cert-dir", flags.cert_dir.clone());
    draft.say_flag(Setting::CriSocket, "--cri-socket", flags.cri_socket.clone());
    add_what_the_node_tells(&mut draft, host)?;

    let facts = host.facts()?;
    // Only a socket that nobody tells depends on the release.
    let is_told = draft.text(Setting::CriSocket).is_some();
    let release = if is_told { DEFAULT } else { defaults::installed_release(host) };
    let certificates_dir = absolute(&draft, Setting::CertificatesDir, Layout::CERTIFICATES, findings);
    let node = node::node(&draft, &flags.ignore_preflight_errors, &release, (host, &facts), findings)?;
    let unmount_flags = unmount_flags(&draft, findings);
    let drain_timeout = drain_timeout(flags.drain_timeout.as_deref(), findings);
    let etcd_data_dir = etcd_data_dir(host)?.unwrap_or_else(|| PathBuf::from("/var/lib/etcd"));
    let credentials = credentials(flags, host)?;
    let folders = [Layout::default().etc(), Layout::default().kubelet(), &etcd_data_dir, Path::new(&certificates_dir)];
    let named = named(&flags.named, &folders, findings);
    let reset = node.zip(drain_timeout).map(|(node, drain_timeout)| Reset {
        node,
        certificates_dir,
        etcd_data_dir,
        credentials,
        drain_timeout,
        skip_drain: flags.skip_drain,
        cleanup_tmp_dir: flags.cleanup_tmp_dir || draft.is_true(Setting::CleanupTmpDir),
        unmount_flags,
        force: flags.force || draft.is_true(Setting::Force),
        named,
    });
    std::mem::take(findings).finish(reset, INVALID.0, INVALID.1)
}

/// Things of others that the user names: below a folder that reset works in, so that a slip of the fingers costs no more.
fn named(paths: &[String], folders: &[&Path], findings: &mut Findings) -> Vec<PathBuf> {
    let mut named = Vec::new();
    for text in paths {
        let path = Path::new(text);
        let is_below = folders.iter().any(|folder| path.starts_with(folder) && path != *folder);
        if path.is_absolute() && is_below && !path.components().any(|part| part == std::path::Component::ParentDir) {
            named.push(path.to_owned());
            continue;
        }
        let folders = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        let why = format!("{text:?} is not below any of the folders that reset works in: {folders}");
        let what = "--force names something that reset may not remove";
        findings.wrong("config-bad-force", what, &Origin::Flag("--force"), why, "/var/lib/kubelet/…");
    }
    named
}

fn unmount_flags(draft: &Draft, findings: &mut Findings) -> Vec<UnmountFlag> {
    const BAD: (&str, &str) = ("config-bad-unmount-flag", "a flag for unmounting cannot be used");
    let (names, origin) = draft.texts(Setting::UnmountFlags);
    let mut flags = Vec::new();
    for name in names {
        match UnmountFlag::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, flag)) => flags.push(*flag),
            None => {
                let known = UnmountFlag::ALL.map(|(known, _)| known);
                let why = format!("{name:?} is none of {}", known.join(", "));
                let near = crate::nearest(name, known).unwrap_or("MNT_DETACH");
                findings.wrong(BAD.0, BAD.1, &origin, why, &format!("[{near}]"));
            }
        }
    }
    let is_mixed = flags.iter().any(|flag| matches!(flag, UnmountFlag::Force | UnmountFlag::Detach));
    if is_mixed && flags.contains(&UnmountFlag::Expire) {
        findings.wrong(BAD.0, BAD.1, &origin, "MNT_EXPIRE stands alone: umount2(2)", "[MNT_EXPIRE]");
    }
    flags
}

/// Node name and CRI socket as the kubelet's own files have them, where nobody has said otherwise.
fn add_what_the_node_tells(draft: &mut Draft, host: &dyn Host) -> Result<(), Problem> {
    let layout = Layout::default();
    let path = layout.kubelet_flags();
    let flags = read_text(host, &path)?.unwrap_or_default();
    let flag = |name: &str| {
        let start = flags.find(&format!("--{name}="))? + name.len() + 3;
        let value = flags[start..].split([' ', '"', '\n']).next()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    if let Some(name) = flag("hostname-override") {
        draft.say(Setting::NodeName, name, Origin::Host("kubeadm-flags.env"));
    }
    if draft.text(Setting::CriSocket).is_some() {
        return Ok(());
    }
    if let Some(socket) = flag("container-runtime-endpoint") {
        draft.say(Setting::CriSocket, socket, Origin::Host("kubeadm-flags.env"));
        return Ok(());
    }
    for path in [layout.kubelet().join("instance-config.yaml"), layout.kubelet_config()] {
        let config = read_text(host, &path)?.and_then(|text| yaml::parse::<Value>(&text).ok()).unwrap_or_default();
        if let Some(socket) = config["containerRuntimeEndpoint"].as_str().filter(|socket| !socket.is_empty()) {
            draft.say(Setting::CriSocket, socket, Origin::Host("kubelet's configuration"));
            return Ok(());
        }
    }
    Ok(())
}

/// The host path of the volume `etcd-data` in etcd's manifest.
fn etcd_data_dir(host: &dyn Host) -> Result<Option<PathBuf>, Problem> {
    let text = read_text(host, &Layout::default().manifest("etcd"))?.unwrap_or_default();
    let pod = yaml::parse::<Value>(&text).unwrap_or_default();
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let data = volumes
        .filter(|volume| volume["name"] == "etcd-data")
        .find_map(|volume| volume.pointer("/hostPath/path").and_then(Value::as_str).map(PathBuf::from));
    Ok(data.filter(|path| path.is_absolute()))
}

/// The kubeconfigs that are there, those that may do most first.
fn credentials(flags: &ResetFlags, host: &dyn Host) -> Result<Vec<PathBuf>, Problem> {
    let layout = Layout::default();
    let mut found: Vec<PathBuf> = flags.kubeconfig.iter().cloned().collect();
    for file in ["admin.conf", "super-admin.conf", "kubelet.conf"] {
        let path = layout.kubeconfig(file);
        if host.stat(&path)?.is_some() && !found.contains(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn read_text(host: &dyn Host, path: &Path) -> Result<Option<String>, Problem> {
    Ok(host.read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
