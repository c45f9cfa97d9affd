//! From the text of a file to a draft: documents are told apart, known ones checked, unknown ones refused.

use serde_json::{Map, Value};

use super::check::Checker;
use super::source::Source;
use super::table::{Kind, Version};
use super::{EXPERIMENTAL, VERSIONS};
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
    /// Every document that could be read, in the file's order.
    pub(crate) parts: Vec<Part>,
}

/// One document.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// One of the group kubeadm.k8s.io.
    Own {
        /// The version it is written in.
        version: &'static Version,
        /// What it is.
        kind: &'static Kind,
        /// What it says.
        draft: Draft,
        /// Where it begins, for messages.
        place: String,
    },
    /// The configuration of the kubelet or of kube-proxy, as it stands there.
    Component(Value),
}

impl Part {
    /// Whether it is written in a version that kubeadm calls experimental.
    pub(crate) fn is_experimental(&self) -> bool {
        matches!(self, Self::Own { version, .. } if version.api == EXPERIMENTAL.api)
    }
}

pub(super) const KUBELET: (&str, &str) = ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration");
pub(super) const KUBE_PROXY: (&str, &str) = ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration");

/// Versions that kubeadm once read, and the last kubeadm that can migrate them.
const OLD: [(&str, &str); 4] = [
    ("kubeadm.k8s.io/v1alpha1", "v1.11"),
    ("kubeadm.k8s.io/v1alpha2", "v1.12"),
    ("kubeadm.k8s.io/v1alpha3", "v1.14"),
    ("kubeadm.k8s.io/v1beta1", "v1.15"),
];

/// Reads all documents of a file; only those of the wanted kinds fill the draft, but mistakes are found in all.
pub(crate) fn load(text: &str, file: &str, wanted: &[&str], strict: bool, findings: &mut Findings) -> Documents {
    read(text, wanted, Source { file, text, before: 0, strict, experimental: false }, findings)
}

/// Reads all documents of a file with every kind that there is, for those who work on files as such. Versions that
/// kubeadm calls experimental are read where that is asked for.
pub(crate) fn load_all(text: &str, file: &str, experimental: bool, findings: &mut Findings) -> Documents {
    read(text, &[], Source { file, text, before: 0, strict: true, experimental }, findings)
}

fn read(text: &str, wanted: &[&str], whole: Source<'_>, findings: &mut Findings) -> Documents {
    let mut documents = Documents::default();
    let file = whole.file;
    for (before, text) in split(text) {
        let source = Source { text, before, ..whole };
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
            _ => return self.take_own(api, kind, map, (source, wanted), findings),
        }
        self.parts.push(Part::Component(document.clone()));
    }

    fn take_own(
        &mut self,
        api: &str,
        kind: &str,
        map: &Map<String, Value>,
        (source, wanted): (Source<'_>, &[&str]),
        findings: &mut Findings,
    ) {
        let experimental = (source.experimental && api == EXPERIMENTAL.api).then_some(&EXPERIMENTAL);
        let Some(version) = VERSIONS.iter().find(|version| version.api == api).or(experimental) else {
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
        let mut checker = Checker { version, kind, source, findings, draft: Draft::default() };
        checker.object("", map);
        if wanted.contains(&kind.name) {
            self.draft.lay_over(checker.draft.clone());
        }
        self.parts.push(Part::Own { version, kind, draft: checker.draft, place: source.place() });
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
    if api == EXPERIMENTAL.api {
        return Problem::new("config-experimental-version", format!("{api} is not finished"))
            .at(source.place())
            .why(format!(
                "it is a placeholder in kubeadm 1.37 that no command can use; {} is its content",
                VERSIONS[2].api
            ))
            .fix(format!("write apiVersion: {} in {file}", VERSIONS[2].api));
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
