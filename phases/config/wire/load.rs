//! From the text of a file to a draft: documents are told apart, known ones checked, unknown ones refused.

use serde_json::{Map, Value};

use super::VERSIONS;
use super::check::Checker;
use super::source::Source;
use crate::config::draft::Draft;
use crate::config::findings::Findings;
use crate::nearest;
use crate::problem::Problem;
use crate::yaml;

/// What a file says for one command.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    /// What the documents of the wanted kinds say.
    pub(crate) draft: Draft,
    /// KubeletConfiguration, as it stands there.
    pub(crate) kubelet: Option<Map<String, Value>>,
    /// KubeProxyConfiguration, as it stands there.
    pub(crate) kube_proxy: Option<Map<String, Value>>,
    /// Kinds that were seen.
    pub(crate) kinds: Vec<String>,
}

const KUBELET: (&str, &str) = ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration");
const KUBE_PROXY: (&str, &str) = ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration");

/// Versions that kubeadm once read, and the last kubeadm that can migrate them.
const OLD: [(&str, &str); 4] = [
    ("kubeadm.k8s.io/v1alpha1", "v1.11"),
    ("kubeadm.k8s.io/v1alpha2", "v1.12"),
    ("kubeadm.k8s.io/v1alpha3", "v1.14"),
    ("kubeadm.k8s.io/v1beta1", "v1.15"),
];

/// Reads all documents of a file; only those of the wanted kinds fill the draft, but mistakes are found in all.
pub(crate) fn load(text: &str, file: &str, wanted: &[&str], strict: bool, findings: &mut Findings) -> Documents {
    let mut documents = Documents::default();
    for (before, text) in split(text) {
        let source = Source { file, text, before, strict };
        // Empty lines in front make the reader's own line numbers those of the file.
        match yaml::documents(&("\n".repeat(before) + text)) {
            Ok(found) => {
                for document in found {
                    documents.take(&document, source, wanted, findings);
                }
            }
            Err(error) => findings.add(
                Problem::new("config-not-yaml", format!("{file} is not YAML"))
                    .at(source.place())
                    .why(error.to_string())
                    .fix(format!("correct the line that is named: {file}")),
            ),
        }
    }
    documents
}

/// The documents of a text with the number of lines before each.
fn split(text: &str) -> Vec<(usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut documents, mut start, mut before, mut offset) = (Vec::new(), 0, 0, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix("---");
        if index > 0 && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            documents.push((before, &text[start..offset]));
            (start, before) = (offset, index);
        }
        offset += line.len();
    }
    documents.push((before, &text[start..]));
    documents
}

impl Documents {
    fn take(&mut self, document: &Value, source: Source<'_>, wanted: &[&str], findings: &mut Findings) {
        let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(api), Some(kind), Some(map)) = (text("apiVersion"), text("kind"), document.as_object()) else {
            findings.add(
                Problem::new("config-missing-kind", "a document does not say what it is")
                    .at(source.place())
                    .why("apiVersion and kind are needed in every document")
                    .fix(format!("begin it with: apiVersion: {}, kind: ClusterConfiguration", VERSIONS[2].api)),
            );
            return;
        };
        if self.kinds.iter().any(|known| known == kind) {
            findings.add(
                Problem::new("config-duplicate-kind", format!("{kind} comes twice"))
                    .at(source.place())
                    .why("each kind may stand in a file once")
                    .fix(format!("put both documents together in {}", source.file)),
            );
            return;
        }
        self.kinds.push(kind.to_owned());
        match (api, kind) {
            KUBELET => self.kubelet = Some(map.clone()),
            KUBE_PROXY => self.kube_proxy = Some(map.clone()),
            _ => self.take_own(api, kind, map, (source, wanted), findings),
        }
    }

    fn take_own(
        &mut self,
        api: &str,
        kind: &str,
        map: &Map<String, Value>,
        (source, wanted): (Source<'_>, &[&str]),
        findings: &mut Findings,
    ) {
        let Some(version) = VERSIONS.iter().find(|version| version.api == api) else {
            findings.add(unknown_api(api, kind, source));
            return;
        };
        let Some(kind) = version.kind(kind) else {
            let known: Vec<&str> = version.kinds.iter().map(|kind| kind.name).collect();
            let other = VERSIONS.iter().find(|version| version.kind(kind).is_some());
            let fix = match (other, nearest(kind, known.iter().copied())) {
                (Some(other), _) => format!("write apiVersion: {} in {}", other.api, source.file),
                (None, Some(name)) => format!("write kind: {name} in {}", source.file),
                (None, None) => format!("remove the document from {}", source.file),
            };
            findings.add(
                Problem::new("config-unknown-kind", format!("unknown kind {kind}"))
                    .at(source.place())
                    .why(format!("{api} has {}", known.join(", ")))
                    .fix(fix),
            );
            return;
        };
        if kind.blocks.is_empty() {
            return;
        }
        let mut checker = Checker { version, kind, source, findings, draft: Draft::default() };
        checker.object("", map);
        if wanted.contains(&kind.name) {
            self.draft.lay_over(checker.draft);
        }
    }
}

fn unknown_api(api: &str, kind: &str, source: Source<'_>) -> Problem {
    let file = source.file;
    if let Some((_, kubeadm)) = OLD.iter().find(|(old, _)| *old == api) {
        return Problem::new("config-old-version", format!("{api} is too old"))
            .at(source.place())
            .why(format!("{} to {} are read", VERSIONS[0].api, VERSIONS[2].api))
            .fix(format!(
                "migrate it with kubeadm {kubeadm}: kubeadm config migrate --old-config {file} --new-config new.yaml"
            ));
    }
    for component in [KUBELET, KUBE_PROXY] {
        if kind == component.1 {
            return Problem::new("config-unknown-version", format!("{kind} of {api} is not known"))
                .at(source.place())
                .why(format!("{} is read", component.0))
                .fix(format!("write apiVersion: {} in {file}", component.0));
        }
    }
    let of_kind: Vec<&str> =
        VERSIONS.iter().filter(|version| version.kind(kind).is_some()).map(|version| version.api).collect();
    if let Some(newest) = of_kind.last() {
        let version = nearest(api, of_kind.iter().copied()).unwrap_or(newest);
        return Problem::new("config-unknown-version", format!("{kind} of {api} is not known"))
            .at(source.place())
            .why(format!("{} are read", of_kind.join(", ")))
            .fix(format!("write apiVersion: {version} in {file}"));
    }
    let kinds = VERSIONS.iter().flat_map(|version| version.kinds).map(|kind| kind.name);
    let fix = match nearest(kind, kinds.chain([KUBELET.1, KUBE_PROXY.1])) {
        Some(name) => format!("write kind: {name} in {file}"),
        None => format!("remove the document from {file}"),
    };
    Problem::new("config-unknown-kind", format!("unknown kind {kind}"))
        .at(source.place())
        .why(format!("a configuration has no {kind} of {api}"))
        .fix(fix)
}
