//! Checks of disks: space, mount options, and how long etcd's disk takes to keep what is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{Finding, Findings, one, or};
use super::scene::Scene;
use crate::world::{Mount, RuntimeStatus};

const GIB: u64 = 1 << 30;

/// Less than that, and the first images or the first log of etcd fill the disk.
const LEAST: u64 = GIB / 2;

/// What etcd's documentation asks of the 99th percentile of its synced writes.
const SLOW_DISK: Duration = Duration::from_millis(10);

/// Where the runtime keeps images and containers: as it tells, else where its packages put them.
pub(super) fn runtime_root(status: Option<&RuntimeStatus>) -> PathBuf {
    match status {
        Some(RuntimeStatus { root: Some(root), .. }) => root.clone(),
        Some(RuntimeStatus { name, .. }) if name == "cri-o" => PathBuf::from("/var/lib/containers"),
        _ => PathBuf::from("/var/lib/containerd"),
    }
}

/// Free space by the kubelet's own thresholds: below them it evicts Pods from the first minute on.
pub(super) fn space(scene: &Scene<'_>) -> Findings {
    let kubelet = scene.node.layout.kubelet().to_owned();
    let runtime = runtime_root(scene.runtime.as_ref().ok());
    let etcd = scene.local_etcd().map(|etcd| etcd.data_dir.clone());
    let asked = [Some((kubelet, 10)), Some((runtime, 15)), etcd.map(|folder| (folder, 5))];
    let mut findings: Vec<Finding> = Vec::new();
    let mut least: Option<u64> = None;
    for (folder, percent) in asked.into_iter().flatten() {
        let Some(space) = scene.probed.folders.get(&folder) else { continue };
        least = Some(least.map_or(space.available, |least| least.min(space.available)));
        let what = format!("{} has {} free of {}", folder.display(), gib(space.available), gib(space.total));
        if space.available < LEAST {
            findings.push(
                Finding::error(what).why("images, logs and etcd's data would fill the disk at once").fix(free(&folder)),
            );
        } else if space.available * 100 < space.total * percent {
            findings.push(
                Finding::warning(what)
                    .why(format!("below {percent} % the kubelet takes the disk for full and evicts Pods"))
                    .fix(free(&folder)),
            );
        }
    }
    or(
        findings,
        match least {
            Some(bytes) => Finding::passed(format!("{} free", gib(bytes))),
            None => Finding::skipped("the file systems do not tell their space"),
        },
    )
}

fn free(folder: &Path) -> String {
    format!("free space there, or mount a larger disk on {}", folder.display())
}

/// Whole units and tenths.
fn gib(bytes: u64) -> String {
    format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
}

/// Programs are run from these folders.
pub(super) fn mount_options(scene: &Scene<'_>) -> Findings {
    let runtime = runtime_root(scene.runtime.as_ref().ok());
    let kubelet = scene.node.layout.kubelet();
    let plugins = Path::new("/opt/cni/bin");
    let mut findings: Vec<Finding> = Vec::new();
    for (folder, is_fatal, what) in [
        (runtime.as_path(), true, "containers run their programs from there"),
        (plugins, true, "the runtime runs the programs of the Pod network from there"),
        (kubelet, false, "Pods with programs in a volume, and volume drivers, would fail"),
    ] {
        let Some(mount) = mount_of(&scene.facts.mounts, folder) else { continue };
        if mount.options.iter().any(|option| option == "noexec") {
            let text = format!("{} lies on {}, which is mounted noexec", folder.display(), mount.point.display());
            let finding = if is_fatal { Finding::error(text) } else { Finding::warning(text) };
            let fix = format!("mount -o remount,exec {}, and take noexec out of /etc/fstab", mount.point.display());
            findings.push(finding.why(what).fix(fix));
        }
    }
    or(findings, Finding::fine("no folder that programs run from is mounted noexec"))
}

/// The mount that a folder lies on; of several on one point the last.
fn mount_of<'a>(mounts: &'a [Mount], folder: &Path) -> Option<&'a Mount> {
    let over = mounts.iter().filter(|mount| folder.starts_with(&mount.point));
    over.max_by_key(|mount| mount.point.components().count())
}

pub(super) fn etcd_disk(scene: &Scene<'_>) -> Findings {
    if scene.local_etcd().is_none() {
        return one(Finding::skipped("etcd does not run here"));
    }
    one(match &scene.probed.disk {
        None => Finding::skipped("not measured in a dry run"),
        Some(Err(_)) if scene.facts.uid != 0 => Finding::needs_root("measuring etcd's disk"),
        Some(Err(reason)) => Finding::warning("etcd's disk could not be measured")
            .why(reason.clone())
            .fix("look whether it can be written: touch /var/lib/.test; df -h /var/lib"),
        Some(Ok(found)) if found.p99 > SLOW_DISK => Finding::warning(format!(
            "a synced write to {} takes {} (99th of {})",
            found.folder.display(),
            millis(found.p99),
            found.writes
        ))
        .why("above 10 ms etcd loses its leader under load, and the API server times out")
        .fix("put etcd's data on a local SSD, or keep other load off this disk")
        .fix("measure it longer: fio --rw=write --ioengine=sync --fdatasync=1 --bs=8k --size=22m --name=etcd --directory=/var/lib"),
        Some(Ok(found)) => Finding::passed(format!("etcd's disk syncs in {}", millis(found.p99))),
    })
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_the_deepest_mount_over_it() {
        let mount = |point: &str, option: &str| Mount {
            point: point.into(),
            source: "disk".to_owned(),
            fs_type: "ext4".to_owned(),
            options: vec![option.to_owned()],
        };
        let mounts = [mount("/", "rw"), mount("/var", "noexec"), mount("/var/lib", "ro"), mount("/var/lib", "rw")];
        for (folder, expected) in [("/var/lib/kubelet", "rw"), ("/var/log", "noexec"), ("/varnish", "rw")] {
            assert_eq!(mount_of(&mounts, Path::new(folder)).unwrap().options, [expected], "{folder}");
        }
        assert_eq!(mount_of(&[], Path::new("/var")), None);
    }

    #[test]
    fn sizes_and_times_are_told_in_tenths() {
        assert_eq!((gib(GIB * 5 / 2), gib(0)), ("2.5 GiB".to_owned(), "0.0 GiB".to_owned()));
        assert_eq!(millis(Duration::from_micros(1234)), "1.2 ms");
    }
}
