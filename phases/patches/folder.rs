//! From a folder of patch files to patches: which files count, in which order, and what their names say.
//!
//! The names are kubeadm's: `target[suffix][+type].yaml` or `.json`. Sub-folders are walked in order of their names, too. A file
//! of another name is ignored, and named; one with a `+` and no type behind it is a mistake.

use std::path::{Path, PathBuf};

use super::{Form, Patch, Patches, TARGETS, Target};
use crate::config::draft::Origin;
use crate::config::findings::Findings;
use crate::problem::Problem;
use crate::world::{FileKind, Host, HostError};
use crate::{nearest, yaml};

const BAD: (&str, &str) = ("config-bad-patch", "a patch cannot be used");
const FORMS: [(&str, Form); 3] = [("json", Form::Json), ("merge", Form::Merge), ("strategic", Form::Strategic)];

/// The patches of a folder. Everything that cannot be used becomes a finding.
///
/// # Errors
/// When the machine cannot be looked at.
pub(crate) fn read(
    folder: &Path,
    origin: &Origin,
    host: &dyn Host,
    findings: &mut Findings,
) -> Result<Patches, HostError> {
    let why = match host.stat(folder)? {
        Some(found) if found.kind == FileKind::Folder => {
            let mut patches = Patches::default();
            for file in files(folder, host)? {
                take(&mut patches, file, host, findings)?;
            }
            return Ok(patches);
        }
        Some(found) if found.kind == FileKind::Link => {
            format!("{} is a link; name the folder itself", folder.display())
        }
        Some(_) => format!("{} is no folder", folder.display()),
        None => format!("there is no {}", folder.display()),
    };
    findings.wrong(BAD.0, "the folder with patches cannot be used", origin, why, "/etc/kubernetes/patches");
    Ok(Patches::default())
}

/// All files at or below a folder, in the order of their names.
fn files(folder: &Path, host: &dyn Host) -> Result<Vec<PathBuf>, HostError> {
    let mut entries = host.list(folder)?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut found = Vec::new();
    for entry in entries {
        match entry.kind {
            FileKind::Folder => found.extend(files(&entry.path, host)?),
            _ => found.push(entry.path),
        }
    }
    Ok(found)
}

fn take(patches: &mut Patches, file: PathBuf, host: &dyn Host, findings: &mut Findings) -> Result<(), HostError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (target, form) = match parse_name(&name) {
        Ok(Ok(found)) => found,
        Ok(Err(reason)) => {
            patches.ignored.push((file, reason));
            return Ok(());
        }
        Err(why) => {
            findings.add(
                Problem::new(BAD.0, "a patch has no type").at(file.display().to_string()).why(why).fix(format!(
                    "rename it: mv {} {}",
                    file.display(),
                    with_type(&name, &file)
                )),
            );
            return Ok(());
        }
    };
    let Some(bytes) = host.read(&file)? else {
        patches.ignored.push((file, "it is gone".to_owned()));
        return Ok(());
    };
    let mut wrong = |why: String| {
        findings.add(
            Problem::new(BAD.0, BAD.1)
                .at(file.display().to_string())
                .why(why)
                .fix(format!("correct {}", file.display())),
        );
    };
    let documents = match std::str::from_utf8(&bytes).map_err(|error| error.to_string()) {
        Ok(text) => yaml::documents(text).map_err(|error| format!("it is not YAML: {error}")),
        Err(error) => Err(format!("it is not UTF-8 text: {error}")),
    };
    let documents = match documents {
        Ok(documents) => documents,
        Err(why) => {
            wrong(why);
            return Ok(());
        }
    };
    if documents.is_empty() {
        patches.ignored.push((file, "it is empty".to_owned()));
        return Ok(());
    }
    for (index, body) in documents.into_iter().enumerate() {
        let document = index + 1;
        match (form, body.is_array(), body.is_object()) {
            (Form::Json, true, _) | (Form::Merge | Form::Strategic, _, true) => {
                patches.list.push(Patch { target, form, file: file.clone(), document, body });
            }
            (Form::Json, ..) => wrong(format!("document {document} is no list of operations, as a JSON patch is")),
            _ => wrong(format!("document {document} is no object")),
        }
    }
    Ok(())
}

/// Target and type out of a file's name; or why the file is ignored; or, as an error, why it cannot be used.
fn parse_name(name: &str) -> Result<Result<(Target, Form), String>, String> {
    if !name.ends_with(".yaml") && !name.ends_with(".json") {
        return Ok(Err("its name ends neither in .yaml nor in .json".to_owned()));
    }
    let Some((target, known, _)) = TARGETS.iter().find(|(_, known, _)| name.starts_with(known)) else {
        let names = TARGETS.map(|(_, known, _)| known);
        let stem = name.split(['.', '+']).next().unwrap_or(name).trim_end_matches(|c: char| c.is_ascii_digit());
        return Ok(Err(match nearest(stem, names) {
            Some(known) => format!("its name begins with nothing that can be patched; is {known} meant?"),
            None => format!("its name begins with none of {}", names.join(", ")),
        }));
    };
    // The suffix ends with the first dot or plus.
    let rest = name[known.len()..].trim_start_matches(|c: char| c != '.' && c != '+');
    let Some(rest) = rest.strip_prefix('+') else { return Ok(Ok((*target, Form::Strategic))) };
    match FORMS.iter().find(|(word, _)| rest.starts_with(word)) {
        Some((_, form)) => Ok(Ok((*target, *form))),
        None => Err("behind the + stands none of json, merge and strategic".to_owned()),
    }
}

/// The file's path with the type that its name lacks.
fn with_type(name: &str, file: &Path) -> String {
    let (before, after) = name.split_once('+').unwrap_or((name, ""));
    let (typed, end) = after.split_once('.').unwrap_or((after, "yaml"));
    let form = nearest(typed, FORMS.map(|(word, _)| word)).unwrap_or("strategic");
    file.with_file_name(format!("{before}+{form}.{end}")).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_say_target_and_type_as_kubeadm_reads_them() {
        for (name, expected) in [
            ("etcd.yaml", Some((Target::Etcd, Form::Strategic))),
            ("kube-apiserver0.json", Some((Target::ApiServer, Form::Strategic))),
            ("kube-apiserver0+json.json", Some((Target::ApiServer, Form::Json))),
            ("kube-scheduler-my suffix+merge.yaml", Some((Target::Scheduler, Form::Merge))),
            ("kube-controller-manager+strategic.yaml", Some((Target::ControllerManager, Form::Strategic))),
            // Only what begins with a type counts, and only before the first dot.
            ("etcd+mergers.yaml", Some((Target::Etcd, Form::Merge))),
            ("etcd0.a+nothing.yaml", Some((Target::Etcd, Form::Strategic))),
            ("kubeletconfiguration0+json.yaml", Some((Target::Kubelet, Form::Json))),
            ("corednsdeployment.yaml", Some((Target::CoreDns, Form::Strategic))),
            ("kubeproxydaemonset.yaml", Some((Target::KubeProxy, Form::Strategic))),
            ("etcd.yml", None),
            ("kube-apiserver", None),
            ("foo.yaml", None),
        ] {
            assert_eq!(parse_name(name).map(Result::ok), Ok(expected), "{name}");
        }
        for name in ["etcd+.yaml", "etcd0+jsn.yaml", "kube-apiserver++json.yaml"] {
            assert!(parse_name(name).is_err(), "{name}");
        }
        assert_eq!(with_type("etcd0+jsn.yaml", Path::new("/p/etcd0+jsn.yaml")), "/p/etcd0+json.yaml");
        let reason = parse_name("kube-apiservr0.yaml").expect("no mistake").expect_err("ignored");
        assert!(reason.contains("is kube-apiserver meant"), "{reason}");
    }
}
