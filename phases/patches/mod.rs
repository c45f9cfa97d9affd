//! Patches: what the user changes in manifests, in the kubelet's configuration and in the addons, beyond what a configuration can say.
//!
//! ```text
//! target[suffix][+type].yaml ─ read while resolving ─► Patches of the node ─ apply ─► the object, still one of its kind
//! ```
//!
//! The folder's files are part of the job, and resolving applies them once for trial: a patch that does not fit is a finding
//! before anything is changed.

mod check;
mod folder;
mod keys;
mod strategic;

pub(crate) use check::{check_addons, check_control_plane, check_kubelet};
pub(crate) use folder::read;

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Release;
use crate::problem::Problem;
use crate::yaml;

/// What can be patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Manifest of kube-apiserver.
    ApiServer,
    /// Manifest of kube-controller-manager.
    ControllerManager,
    /// Manifest of kube-scheduler.
    Scheduler,
    /// Manifest of etcd.
    Etcd,
    /// The kubelet's `config.yaml`.
    Kubelet,
    /// The Deployment of CoreDNS.
    CoreDns,
    /// The DaemonSet of kube-proxy.
    KubeProxy,
}

/// Each with its name at the beginning of a file's name, and the first minor release whose kubeadm has it.
const TARGETS: [(Target, &str, u32); 7] = [
    (Target::ApiServer, "kube-apiserver", 0),
    (Target::ControllerManager, "kube-controller-manager", 0),
    (Target::Scheduler, "kube-scheduler", 0),
    (Target::Etcd, "etcd", 0),
    (Target::Kubelet, "kubeletconfiguration", 25),
    (Target::CoreDns, "corednsdeployment", 31),
    (Target::KubeProxy, "kubeproxydaemonset", 37),
];

impl Target {
    /// Its name in names of files.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The manifest's target by the component's name.
    pub fn of_component(component: &str) -> Option<Self> {
        let found = TARGETS.iter().find(|(_, name, since)| *since == 0 && *name == component);
        found.map(|(target, ..)| *target)
    }

    fn is_in(self, release: &Release) -> bool {
        release.minor() >= self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, u32) {
        TARGETS.iter().find(|(target, ..)| *target == self).expect("every target has a row")
    }
}

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Strategic merge patch: lists are merged by their keys.
    Strategic,
    /// RFC 7386: lists are replaced.
    Merge,
    /// RFC 6902: a list of operations.
    Json,
}

/// One document of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    target: Target,
    form: Form,
    file: PathBuf,
    /// Counted from 1 among the documents that are not empty.
    document: usize,
    body: Value,
}

/// The patches of a job, in the order in which they are applied.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patches {
    list: Vec<Patch>,
    /// Files that patch nothing, each with the reason.
    ignored: Vec<(PathBuf, String)>,
}

impl Patches {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those that the release's kubeadm knows too; files for the other targets are ignored.
    #[must_use]
    pub fn of_release(mut self, release: &Release) -> Self {
        let (kept, later): (Vec<Patch>, Vec<Patch>) =
            self.list.into_iter().partition(|patch| patch.target.is_in(release));
        for patch in later {
            let (_, name, since) = patch.target.row();
            let reason = format!("{name} can be patched from v1.{since} on, and this is {release}");
            if !self.ignored.iter().any(|(file, _)| *file == patch.file) {
                self.ignored.push((patch.file, reason));
            }
        }
        self.list = kept;
        self
    }

    /// One line per file that patches nothing, with the reason.
    pub fn ignored(&self) -> impl Iterator<Item = String> {
        self.ignored.iter().map(|(file, reason)| format!("{}: {reason}", file.display()))
    }

    /// How many patches there are for a target.
    pub fn count(&self, target: Target) -> usize {
        self.list.iter().filter(|patch| patch.target == target).count()
    }

    /// An object with its patches. It must be one of its kind afterwards.
    ///
    /// # Errors
    /// `config-bad-patch` for the first patch that does not fit, with its file and document.
    pub fn apply(&self, target: Target, mut object: Value) -> Result<Value, Problem> {
        for patch in self.list.iter().filter(|patch| patch.target == target) {
            let patched = patch.apply(object).map_err(|why| patch.problem(why))?;
            object = check::fitting(target, patched).map_err(|why| patch.problem(why))?;
        }
        Ok(object)
    }

    /// An object of a type with its patches.
    pub(crate) fn apply_typed<T: Serialize + DeserializeOwned>(&self, target: Target, object: T) -> Result<T, Problem> {
        if self.count(target) == 0 {
            return Ok(object);
        }
        let object = serde_json::to_value(&object).expect("objects have text keys only");
        Ok(serde_json::from_value(self.apply(target, object)?).expect("apply gives an object of the type"))
    }

    /// The text of a manifest with its patches; as it was where there are none.
    ///
    /// # Errors
    /// As `apply`.
    pub fn manifest(&self, component: &str, text: String) -> Result<String, Problem> {
        match Target::of_component(component) {
            Some(target) if self.count(target) > 0 => {
                let pod: Value = yaml::parse(&text).expect("what our writer has written can be read");
                Ok(yaml::write(&self.apply(target, pod)?))
            }
            _ => Ok(text),
        }
    }
}

impl Patch {
    fn apply(&self, mut object: Value) -> Result<Value, String> {
        match self.form {
            Form::Strategic => strategic::merge(object, &self.body).map_err(|error| error.to_string()),
            Form::Merge => {
                json_patch::merge(&mut object, &self.body);
                Ok(object)
            }
            Form::Json => {
                let operations: json_patch::Patch =
                    serde_json::from_value(self.body.clone()).map_err(|error| error.to_string())?;
                json_patch::patch(&mut object, &operations).map_err(|error| error.to_string())?;
                Ok(object)
            }
        }
    }

    fn problem(&self, why: String) -> Problem {
        let (file, name) = (self.file.display(), self.target.name());
        Problem::new("config-bad-patch", format!("a patch of {name} does not fit"))
            .at(format!("{file}, document {}", self.document))
            .why(why)
            .fix(format!("correct document {} of {file}, or take the file out of the folder", self.document))
    }
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod golden_tests;

#[cfg(test)]
#[path = "patches_tests.rs"]
mod tests;
